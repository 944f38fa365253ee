//! An MTA-STS policy, and the hosts that it covers (RFC 8461 sections 3.2 and 4.1). Pure.
//!
//! Read as strictly as the grammar has it: senders differ in what else they forgive.

use std::fmt;

use super::record::{WSP, is_name};
use crate::model::{Domain, domain};

/// Seconds of the longest `max_age` (section 3.2).
const MAX_AGE: u64 = 31_557_600;

/// What a sender does with a host that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does not deliver there.
    Enforce,
    /// It delivers, and reports.
    Testing,
    /// As if there were no policy.
    None,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What a sender does.
    pub mode: Mode,
    /// The hosts that may be MX, in the order written; empty only in mode `none`.
    pub mx: Vec<MxPattern>,
    /// For how many seconds senders keep it.
    pub max_age: u64,
}

/// A host name, or all names with one label more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxPattern {
    /// This host.
    Host(Domain),
    /// `*.` and this.
    OneLabelBelow(Domain),
}

/// Why a text is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not UTF-8.
    #[error("the policy is not UTF-8")]
    NotText,
    /// A line that is no `name: value`.
    #[error("line {0} of the policy is no `name: value`")]
    Line(usize),
    /// A field that has to be there.
    #[error("the policy has no `{0}`")]
    Missing(&'static str),
    /// A field with a value that it cannot have.
    #[error("the policy's `{0}` has no valid value")]
    Value(&'static str),
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`Error`]: to a sender it is as if there were none.
    pub fn parse(bytes: &[u8]) -> Result<Policy, Error> {
        let text = std::str::from_utf8(bytes).map_err(|_| Error::NotText)?;
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for (number, line) in (1..).zip(text.split('\n')) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let (name, value) = line.split_once(':').ok_or(Error::Line(number))?;
            let value = value.trim_matches(WSP);
            if !is_name(name) || value.is_empty() || value.chars().any(char::is_control) {
                return Err(Error::Line(number));
            }
            match name {
                // Of what is there twice the first counts; only `mx` may be (section 3.2).
                "version" => _ = version.get_or_insert(value),
                "mode" => _ = mode.get_or_insert(value),
                "max_age" => _ = max_age.get_or_insert(value),
                "mx" => mx.push(MxPattern::parse(value).ok_or(Error::Value("mx"))?),
                _ => {}
            }
        }
        if version.ok_or(Error::Missing("version"))? != "STSv1" {
            return Err(Error::Value("version"));
        }
        let mode = match mode.ok_or(Error::Missing("mode"))? {
            "enforce" => Mode::Enforce,
            "testing" => Mode::Testing,
            "none" => Mode::None,
            _ => return Err(Error::Value("mode")),
        };
        let max_age = max_age.ok_or(Error::Missing("max_age"))?;
        let digits = max_age.len() <= 10 && max_age.bytes().all(|byte| byte.is_ascii_digit());
        let max_age = digits.then(|| max_age.parse().ok()).flatten().filter(|age| *age <= MAX_AGE);
        let max_age = max_age.ok_or(Error::Value("max_age"))?;
        if mx.is_empty() && mode != Mode::None {
            return Err(Error::Missing("mx"));
        }
        Ok(Policy { mode, mx, max_age })
    }

    /// Whether a host is among those that may be MX.
    pub fn covers(&self, host: &str) -> bool {
        let Ok(host) = domain::normalise(host) else { return false };
        self.mx.iter().any(|pattern| pattern.covers(&host))
    }
}

impl MxPattern {
    fn parse(text: &str) -> Option<MxPattern> {
        let (base, make): (_, fn(Domain) -> MxPattern) = match text.strip_prefix("*.") {
            Some(base) => (base, MxPattern::OneLabelBelow),
            None => (text, MxPattern::Host),
        };
        // A-labels only (section 3.2); no dot at the end in RFC 5321's Domain.
        let plain = base.is_ascii() && !base.ends_with('.');
        plain.then(|| Domain::parse(base).ok()).flatten().map(make)
    }

    /// The star is the whole left-most label and stands for one (section 4.1).
    fn covers(&self, host: &str) -> bool {
        match self {
            MxPattern::Host(name) => host == name.as_str(),
            MxPattern::OneLabelBelow(base) => {
                host.split_once('.').is_some_and(|(_, parent)| parent == base.as_str())
            }
        }
    }
}

impl Mode {
    /// The word in the policy.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        }
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MxPattern::Host(name) => write!(f, "{name}"),
            MxPattern::OneLabelBelow(base) => write!(f, "*.{base}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// In few words: `enforce 86400 mx1.a *.b`.
    fn read(text: &str) -> Result<String, Error> {
        let Policy { mode, mx, max_age } = Policy::parse(text.as_bytes())?;
        let mx: Vec<String> = mx.iter().map(ToString::to_string).collect();
        Ok(format!("{} {max_age} {}", mode.word(), mx.join(" ")).trim_end().to_owned())
    }

    #[test]
    fn policies() {
        let whole = "version: STSv1\nmode: enforce\nmx: mx1.a.b\nmx: *.C.d\nmax_age: 86400";
        let without = |field: &str| {
            let lines = whole.lines().filter(|line| !line.starts_with(field));
            lines.collect::<Vec<_>>().join("\n")
        };
        let with = |from: &str, to: &str| whole.replace(from, to);
        let good = Ok("enforce 86400 mx1.a.b *.c.d");
        let table = [
            ("line feeds", whole.to_owned(), good),
            ("a last line feed", format!("{whole}\n"), good),
            ("CRLF", format!("{whole}\n").replace('\n', "\r\n"), good),
            ("no space, many spaces", with(": ", ":").replace("mode:", "mode: \t "), good),
            ("spaces at the end", with("enforce", "enforce \t"), good),
            (
                "any order",
                whole.lines().rev().collect::<Vec<_>>().join("\n"),
                Ok("enforce 86400 *.c.d mx1.a.b"),
            ),
            ("another field", format!("{whole}\nx-y.z: \u{e4} b: c"), good),
            ("the first counts", format!("{whole}\nmode: none\nversion: STSv2\nmax_age: x"), good),
            ("testing", with("enforce", "testing"), Ok("testing 86400 mx1.a.b *.c.d")),
            ("none", with("enforce", "none"), Ok("none 86400 mx1.a.b *.c.d")),
            ("none without hosts", without("mx").replace("enforce", "none"), Ok("none 86400")),
            ("age at the limit", with("86400", "31557600"), Ok("enforce 31557600 mx1.a.b *.c.d")),
            ("age nought", with("86400", "0"), Ok("enforce 0 mx1.a.b *.c.d")),
            ("empty", String::new(), Err(Error::Line(1))),
            ("HTML", "<html>\n</html>\n".to_owned(), Err(Error::Line(1))),
            ("an empty line", with("\nmode", "\n\nmode"), Err(Error::Line(2))),
            ("two at the end", format!("{whole}\n\n"), Err(Error::Line(6))),
            ("a space before the colon", with("mode:", "mode :"), Err(Error::Line(2))),
            ("a space before the name", with("mode:", " mode:"), Err(Error::Line(2))),
            ("no value", with("enforce", ""), Err(Error::Line(2))),
            ("a control character", with("enforce", "enf\u{1b}orce"), Err(Error::Line(2))),
            ("carriage returns alone", with("\n", "\r"), Err(Error::Line(1))),
            ("no version", without("version"), Err(Error::Missing("version"))),
            ("no mode", without("mode"), Err(Error::Missing("mode"))),
            ("no age", without("max_age"), Err(Error::Missing("max_age"))),
            ("no host", without("mx"), Err(Error::Missing("mx"))),
            ("another version", with("STSv1", "STSv2"), Err(Error::Value("version"))),
            ("upper case", with("enforce", "Enforce"), Err(Error::Value("mode"))),
            ("upper-case name", with("mode", "Mode"), Err(Error::Missing("mode"))),
            ("age too long", with("86400", "31557601"), Err(Error::Value("max_age"))),
            ("age of eleven digits", with("86400", "00000086400"), Err(Error::Value("max_age"))),
            ("age with a sign", with("86400", "+86400"), Err(Error::Value("max_age"))),
            ("two stars", with("*.C", "*.*.C"), Err(Error::Value("mx"))),
            ("a star inside", with("*.C", "m*.C"), Err(Error::Value("mx"))),
            ("a star alone", with("*.C.d", "*"), Err(Error::Value("mx"))),
            ("a dot first", with("*.C.d", ".c.d"), Err(Error::Value("mx"))),
            ("a dot last", with("*.C.d", "c.d."), Err(Error::Value("mx"))),
            ("several in one", with("*.C.d", "c.d, e.f"), Err(Error::Value("mx"))),
            ("a U-label", with("*.C.d", "\u{e4}.d"), Err(Error::Value("mx"))),
            ("injection", with("*.C.d", "a.b servername=x"), Err(Error::Value("mx"))),
        ];
        for (name, text, expected) in table {
            assert_eq!(read(&text).as_deref(), expected.as_ref().copied(), "{name}");
        }
        assert_eq!(Policy::parse(b"version: \xff"), Err(Error::NotText));
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let policy =
            Policy::parse(b"version: STSv1\nmode: enforce\nmx: mx.a.b\nmx: *.c.d\nmx: *.single\nmax_age: 1");
        let policy = policy.unwrap();
        let table = [
            ("mx.a.b", true),
            ("MX.A.B", true),
            ("mx.a.b.", true),
            ("x.mx.a.b", false),
            ("a.b", false),
            ("x.c.d", true),
            ("x.y.c.d", false),
            ("c.d", false),
            ("xc.d", false),
            ("x.single", true),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
            ("", false),
        ];
        for (host, expected) in table {
            assert_eq!(policy.covers(host), expected, "{host}");
        }
    }
}
