//! A time as people read it: UTC, and whole seconds. `--json` and `--csv` have all of it.

use jiff::Timestamp;

/// `2026-11-25T12:00:00Z`; what is behind the seconds is cut, not rounded.
pub(super) fn of(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Of a time in text; what is none stays as it is.
pub(super) fn of_text(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds() {
        let table = [
            ("2026-11-25T12:00:00Z", "2026-11-25T12:00:00Z"),
            ("2026-11-25T12:00:00.999999999Z", "2026-11-25T12:00:00Z"),
            ("2026-11-25T12:00:00.5+01:00", "2026-11-25T11:00:00Z"),
            ("9999-12-30T22:00:00.999Z", "9999-12-30T22:00:00Z"),
            ("yesterday", "yesterday"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(of_text(text), expected, "{text}");
        }
    }
}
