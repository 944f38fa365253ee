//! The text that Prometheus reads: its exposition format, version 0.0.4.
//!
//! Promises: every family is written whole, its `HELP` and `TYPE` before its samples; a label's value may be any
//! text, and cannot end its line. The text ends in a line of its own, [`END`], a comment to whoever reads the format:
//! what was cut short can be told from what is whole.
//!
//! Not OpenMetrics, which calls families otherwise than their samples: the textfile collector of node_exporter reads
//! this format alone. So the crate prometheus-client, which writes that one, is of no use here.
//!
//! Knows no metric and no connector. Source: prometheus.io/docs/instrumenting/exposition_formats, "Text-based format".

use std::fmt::Write as _;

/// What a server calls it (`Content-Type`).
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The last line, with its line feed.
pub const END: &str = "# EOF\n";

/// What the numbers of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They only grow, or begin anew.
    Counter,
    /// They come and go.
    Gauge,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

/// A text that is being written.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// A family whose samples are being written.
#[derive(Debug)]
pub struct Family<'e> {
    name: &'static str,
    text: &'e mut String,
}

impl Exposition {
    /// Begins a family. Each name once, and `[a-z_]` alone; `help` is one line without a backslash.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> Family<'_> {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
        Family { name, text: &mut self.0 }
    }

    /// A family of one gauge without labels.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: impl Into<i128>) {
        self.family(name, Kind::Gauge, help).sample(&[], value);
    }

    /// A family of one counter without labels.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.family(name, Kind::Counter, help).sample(&[], value);
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        self.0.push_str(END);
        self.0
    }
}

impl Family<'_> {
    /// Adds a number with its labels: names as for a family, no two samples with the same.
    pub fn sample(&mut self, labels: &[(&'static str, &str)], value: impl Into<i128>) {
        self.text.push_str(self.name);
        for (number, (label, value)) in labels.iter().enumerate() {
            self.text.push(if number == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(value, self.text);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        // Writing to a string does not fail.
        let _ = writeln!(self.text, " {}", value.into());
    }
}

/// The three that the format escapes; every other character stands for itself.
fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_format_has_it() {
        let mut text = Exposition::default();
        text.gauge("up", "Whether it is.", true);
        let mut family = text.family("asked_total", Kind::Counter, "How often.");
        family.sample(&[("who", "a"), ("what", "b c")], u64::MAX);
        family.sample(&[("who", "")], 0);
        text.counter("lost_total", "How many.", 7);
        let expected = "# HELP up Whether it is.\n# TYPE up gauge\nup 1\n\
                        # HELP asked_total How often.\n# TYPE asked_total counter\n\
                        asked_total{who=\"a\",what=\"b c\"} 18446744073709551615\nasked_total{who=\"\"} 0\n\
                        # HELP lost_total How many.\n# TYPE lost_total counter\nlost_total 7\n# EOF\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_value_cannot_end_its_line_or_its_quotes() {
        let table = [
            ("plain", "plain"),
            ("\" 1\n# EOF\n", "\\\" 1\\n# EOF\\n"),
            ("\\", "\\\\"),
            ("\\n", "\\\\n"),
            ("é}{,=", "é}{,="),
        ];
        for (value, expected) in table {
            let mut text = Exposition::default();
            text.family("x", Kind::Gauge, "X.").sample(&[("label", value)], -1);
            assert!(text.finish().contains(&format!("\nx{{label=\"{expected}\"}} -1\n# EOF\n")), "{value:?}");
        }
    }
}
