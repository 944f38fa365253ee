//! The names that a certificate presents, as far as they can match anything.
//!
//! A name that no comparison may rely on is left out here, once, instead of being refused in
//! every comparison: wildcards anywhere but as the whole left-most label, or with less than two
//! labels behind it (OpenSSL's v3_utl.c:valid_star), addresses, non-ASCII, and whatever is not a
//! host name. Which patterns a presented name satisfies is decided by [`crate::model::names`].

use std::fmt;

use super::super::domain;

/// Longest name and longest label, in octets (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A name that a certificate presents, lower-case, without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresentedName {
    /// This name and no other.
    Exact(String),
    /// Any name with exactly one label more than this one: the part behind `*.`, which has two
    /// labels or more.
    Wildcard(String),
}

impl PresentedName {
    /// A dNSName, or a common name of a certificate that we have: `None` when it is no name to
    /// rely on.
    pub fn of_dns_name(text: &str) -> Option<PresentedName> {
        match text.strip_prefix("*.") {
            // valid_star wants letters, digits and hyphens; only a literal name may have a `_`.
            Some(base) => (is_host_name(base) && base.contains('.') && !base.contains('_'))
                .then(|| PresentedName::Wildcard(base.to_ascii_lowercase())),
            None => PresentedName::of_common_name(text),
        }
    }

    /// A common name that came through Postfix (`ccert_subject`): only an exact host name, since
    /// nothing else is known of the certificate. A wildcard, a person's name, anything with a
    /// space or a comma in it is none.
    pub fn of_common_name(text: &str) -> Option<PresentedName> {
        is_host_name(text).then(|| PresentedName::Exact(text.to_ascii_lowercase()))
    }
}

/// Letters, digits, hyphens and `_`, as Postfix's valid_hostname.c has it; no trailing dot
/// (OpenSSL compares it literally, so it matches nothing) and no address.
fn is_host_name(text: &str) -> bool {
    // Nearly every name is in normal form already, and its last label is no number.
    let ends_in_letter = text.as_bytes().last().is_some_and(u8::is_ascii_lowercase);
    (ends_in_letter && domain::is_normal(text)) || is_host_name_of_any_form(text)
}

fn is_host_name_of_any_form(text: &str) -> bool {
    let label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= MAX_NAME && text.split('.').all(label) && !last_is_number
}

impl fmt::Display for PresentedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PresentedName::Exact(name) => f.write_str(name),
            PresentedName::Wildcard(base) => write!(f, "*.{base}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_the_closer_one(
            text in prop_oneof!["[a-z0-9_.-]{0,12}", "[a-z0-9]{55,64}(\\.[a-z0-9]{1,64}){0,4}", any::<String>()],
        ) {
            prop_assert_eq!(is_host_name(&text), is_host_name_of_any_form(&text));
        }
    }

    fn exact(name: &str) -> Option<PresentedName> {
        Some(PresentedName::Exact(name.to_owned()))
    }

    fn wildcard(base: &str) -> Option<PresentedName> {
        Some(PresentedName::Wildcard(base.to_owned()))
    }

    #[test]
    fn names_to_rely_on() {
        let longest = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
        let cases = [
            ("mail.partner.example", exact("mail.partner.example")),
            ("Mail.PARTNER.Example", exact("mail.partner.example")),
            ("xn--mnchen-3ya.example", exact("xn--mnchen-3ya.example")),
            ("un_der.example", exact("un_der.example")),
            ("localhost", exact("localhost")),
            ("4.example", exact("4.example")),
            (longest.as_str(), exact(&longest)),
            ("*.partner.example", wildcard("partner.example")),
            ("*.Foo.xn--p1ai", wildcard("foo.xn--p1ai")),
            // What OpenSSL 3.0's `x509 -checkhost` takes for no wildcard either.
            ("*.example", None),
            ("*.un_der.example", None),
            ("mail.*.example", None),
            ("f*o.partner.example", None),
            ("*mail.partner.example", None),
            ("*.*.example", None),
            ("*", None),
            ("*.", None),
            ("mail.partner.example.", None),
            (".partner.example", None),
            ("mail..example", None),
            ("-mail.example", None),
            ("mail-.example", None),
            ("mail.partner.example,other.example", None),
            ("Partner Bank AG", None),
            ("mail.example\0.evil.example", None),
            ("münchen.example", None),
            ("bob@partner.example", None),
            ("192.0.2.1", None),
            ("2001:db8::1", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(PresentedName::of_dns_name(text), expected, "{text}");
            let through_postfix = expected.filter(|name| matches!(name, PresentedName::Exact(_)));
            assert_eq!(PresentedName::of_common_name(text), through_postfix, "{text}");
        }
        assert_eq!(PresentedName::of_dns_name(&format!("{longest}d")), None);
        assert_eq!(PresentedName::of_dns_name(&format!("{}.example", "a".repeat(64))), None);
    }

    #[test]
    fn a_name_is_shown_as_certificates_show_it() {
        for text in ["mail.partner.example", "*.partner.example"] {
            assert_eq!(PresentedName::of_dns_name(text).map(|name| name.to_string()).as_deref(), Some(text));
        }
    }
}
