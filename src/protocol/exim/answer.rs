//! An answer to Exim, pair by pair.

/// What is said to a request that is none: to a router, a transport and an ACL alike it means "wait".
pub const REFUSAL: &[u8] = b"status=temp action=defer end=ok\n";

/// An answer line under construction. What is finished is printable ASCII, and ends in `end=ok`.
#[derive(Debug, Default)]
pub struct Answer(String);

impl Answer {
    /// Without any pair.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair. `${extract}` takes the first of two with one key, so what decides comes first.
    ///
    /// A value that is not of `[A-Za-z0-9_./:-]` is quoted. Nobody puts what is not printable ASCII into an answer; if
    /// somebody did, `?` would stand for it.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: &str) -> Self {
        debug_assert!(value.bytes().all(is_printable), "{key}={value:?}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:-".contains(&byte);
        self.0.push_str(key);
        self.0.push('=');
        if !value.is_empty() && value.bytes().all(plain) {
            self.0.push_str(value);
        } else {
            self.0.push('"');
            for character in value.chars() {
                match character {
                    '"' | '\\' => self.0.extend(['\\', character]),
                    ' '..='~' => self.0.push(character),
                    _ => self.0.push('?'),
                }
            }
            self.0.push('"');
        }
        self.0.push(' ');
        self
    }

    /// The line, without its line feed.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push_str("end=ok");
        self.0
    }
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    /// What Exim's `${extract{key}{answer}}` finds (expand.c:expand_getkeyed, string_dequote): pairs between white space,
    /// the first one with the key, a quoted value with backslashes undone.
    fn extract(answer: &str, wanted: &str) -> Option<String> {
        let mut rest = answer.trim_start();
        while !rest.is_empty() {
            let (key, behind) = rest.split_once('=')?;
            let (value, behind) = match behind.strip_prefix('"') {
                None => {
                    let end = behind.find(' ').unwrap_or(behind.len());
                    (behind[..end].to_owned(), &behind[end..])
                }
                Some(quoted) => {
                    let mut value = String::new();
                    let mut characters = quoted.char_indices();
                    let end = loop {
                        match characters.next()? {
                            (at, '"') => break at,
                            (_, '\\') => value.push(characters.next()?.1),
                            (_, character) => value.push(character),
                        }
                    };
                    (value, &quoted[end + 1..])
                }
            };
            if key == wanted {
                return Some(value);
            }
            rest = behind.trim_start();
        }
        None
    }

    #[test]
    fn written() {
        let table = [
            ("contoso.com", "k=contoso.com end=ok"),
            ("/etc/a_b-c.pem", "k=/etc/a_b-c.pem end=ok"),
            ("a.b::587:[2001::db8::::1]::25", "k=\"a.b::587:[2001::db8::::1]::25\" end=ok"),
            ("", "k=\"\" end=ok"),
            ("a b", "k=\"a b\" end=ok"),
            ("a=b", "k=\"a=b\" end=ok"),
            ("x\" end=ok", "k=\"x\\\" end=ok\" end=ok"),
            ("back\\slash", "k=\"back\\\\slash\" end=ok"),
            ("${run{x}}", "k=\"${run{x}}\" end=ok"),
        ];
        for (value, expected) in table {
            assert_eq!(Answer::new().with("k", value).finish(), expected);
        }
        assert_eq!(Answer::new().finish(), "end=ok");
        assert!(REFUSAL.ends_with(b"end=ok\n"));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "k=\"a\\nb\"")]
    fn what_is_not_printable_is_found_in_debug_builds() {
        let _ = Answer::new().with("k", "a\nb");
    }

    #[test]
    #[cfg(not(debug_assertions))]
    fn what_is_not_printable_ends_no_line_in_release_builds() {
        assert_eq!(Answer::new().with("k", "a\nb\u{e9}").finish(), "k=\"a?b?\" end=ok");
    }

    proptest! {
        #[test]
        fn exim_reads_what_was_meant(first in "[ -~]{0,40}", second in "[ -~]{0,40}") {
            let answer = Answer::new().with("first", &first).with("second", &second).finish();
            prop_assert!(answer.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            prop_assert_eq!(extract(&answer, "first"), Some(first));
            prop_assert_eq!(extract(&answer, "second"), Some(second));
            prop_assert_eq!(extract(&answer, "end"), Some("ok".to_owned()));
        }
    }
}
