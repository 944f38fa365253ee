//! What the crate says with `tracing`, as lines of the journal.
//!
//! The message of an event is its stable name; its fields become `key=value`. Spans are not used.

use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use super::journal::Journal;
use super::line::Line;

/// Writes events to a journal.
struct Events(Arc<Journal>);

/// Makes the journal the place where events go, from `level` up. A second call in one process does
/// nothing; the first journal stays.
pub(in crate::server) fn install(journal: &Arc<Journal>, level: LevelFilter) {
    let subscriber = tracing_subscriber::registry().with(Events(Arc::clone(journal)).with_filter(level));
    // Refused only when there is one already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Logs panics like everything else: the text that Rust writes by itself could block.
pub(in crate::server) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(text, place, "panic");
    }));
}

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut name = Name(String::new());
        event.record(&mut name);
        let name = if name.0.is_empty() { event.metadata().name() } else { &name.0 };
        self.0.line(word(event.metadata()), name, |line| event.record(&mut Fields(line)));
    }
}

fn word(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Finds the message.
struct Name(String);

impl Visit for Name {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // Writing to a string does not fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Writes the fields.
struct Fields<'l, 'b>(&'l mut Line<'b>);

fn key(field: &Field) -> String {
    format!(" {}=", field.name())
}

impl Visit for Fields<'_, '_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.bare(&key(field), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.number(&key(field), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.bare(&key(field), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.text(&key(field), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "message" {
            self.0.text(&key(field), &format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{BufRead as _, BufReader};
    use std::time::Duration;

    use super::super::line::Style;
    use super::*;

    #[test]
    fn events_become_lines() {
        let (reader, writer) = std::io::pipe().unwrap();
        let journal = Journal::start(Style { json: false, time: false }, writer).unwrap();
        let subscriber =
            tracing_subscriber::registry().with(Events(Arc::clone(&journal)).with_filter(LevelFilter::INFO));
        tracing::subscriber::with_default(subscriber, || {
            let suppressed: Option<u64> = None;
            tracing::warn!(n = 7, text = "two words", path = %"/run/a", suppressed, "something_happened");
            tracing::debug!("too_little");
            tracing::error!(suppressed = Some(3_u64), ok = true, "worse");
        });
        journal.close(Duration::from_secs(60));
        drop(journal);
        let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(
            lines,
            [
                "warn something_happened n=7 text=\"two words\" path=/run/a",
                "error worse suppressed=3 ok=true",
            ]
        );
    }
}
