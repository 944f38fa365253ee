//! Domain names in the one form in which they are compared.
//!
//! A [`Domain`] is lower-case A-labels without the trailing dot. Both sides of every comparison
//! pass through [`Domain::parse`], because Postfix hands us names exactly as the sender typed
//! them: in any case, and as U-labels when SMTPUTF8 is in use (`smtp_tls_policy_maps` keys are
//! neither folded nor converted; dict_sockmap.c has no `DICT_FLAG_FOLD_MUL`).
//!
//! What is not exactly a domain is refused, with its reason; an answer turns that into `PERM`,
//! never into "no connector".

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Longest name in octets without the trailing dot (RFC 1035 section 2.3.4).
pub const MAX_NAME: usize = 253;

/// Longest label in octets (RFC 1035 section 2.3.4).
pub const MAX_LABEL: usize = 63;

/// A domain name: lower-case A-labels, no trailing dot, at least one label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Arc<str>);

/// Why a text is no domain name. The texts may be sent to the MTA: they quote nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No name at all, or a lone dot.
    #[error("empty domain name")]
    Empty,
    /// Two dots in a row, or a leading one.
    #[error("empty label in domain name")]
    EmptyLabel,
    /// A label over [`MAX_LABEL`] or a name over [`MAX_NAME`].
    #[error("domain name too long")]
    TooLong,
    /// A character that no host name has.
    #[error("invalid character in domain name")]
    Character,
    /// A label that begins or ends with a hyphen.
    #[error("label of domain name begins or ends with a hyphen")]
    Hyphen,
    /// Not UTF-8, or a label that UTS 46 refuses.
    #[error("invalid internationalised domain name")]
    Idna,
}

impl Domain {
    /// Normalises a name as typed by a person, a sender or an MTA.
    ///
    /// One trailing dot is removed. `_` is allowed, as Postfix's `valid_hostname()` allows it.
    ///
    /// # Errors
    /// [`Error`] when the text is not exactly one domain name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Domain(normalise(text)?.as_ref().into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many labels it has: 1 for `com`.
    pub fn labels(&self) -> usize {
        self.0.split('.').count()
    }

    /// Whether it is a proper subdomain of `parent`.
    pub fn is_below(&self, parent: &Domain) -> bool {
        is_below(&self.0, &parent.0)
    }
}

/// Whether `name` is a proper subdomain of `parent`, both normalised.
pub fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
}

/// The parents of a normalised name, nearest first: `b.c`, `c` for `a.b.c`.
pub fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.')).map(|(_, rest)| rest)
}

/// The normal form of [`Domain::parse`], borrowed when the text is in it already: the lookup
/// path of an answer allocates nothing for an ordinary name.
///
/// # Errors
/// [`Error`] when the text is not exactly one domain name.
pub fn normalise(text: &str) -> Result<Cow<'_, str>, Error> {
    if is_normal(text) { Ok(Cow::Borrowed(text)) } else { normalise_any(text) }
}

/// The normal form of a text of which nothing is known.
fn normalise_any(text: &str) -> Result<Cow<'_, str>, Error> {
    // 4: no UTF-8 character takes more octets than four times its share of an A-label name.
    if text.len() > 4 * MAX_NAME {
        return Err(Error::TooLong);
    }
    let name = if text.is_ascii() && !has_a_label(text) {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        }
    } else {
        // Non-transitional processing, as IDNA 2008 and Postfix (midna_domain.c) have it.
        Uts46::new()
            .to_ascii(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
            .map_err(|_| Error::Idna)?
    };
    let name = match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_suffix('.').unwrap_or(name)),
        Cow::Owned(mut name) => {
            if name.ends_with('.') {
                name.pop();
            }
            Cow::Owned(name)
        }
    };
    validate(&name)?;
    Ok(name)
}

/// An octet that may stand anywhere in a label.
const PLAIN: u8 = 0;
/// Not at either end of a label. Two hyphens in a row may be an ACE prefix.
const SEPARATOR: u8 = 1;
/// Everything else.
const OTHER: u8 = 2;

#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "at compile time a mistake is an error")]
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut octet = 0;
    while octet < 128 {
        classes[octet as usize] = match octet {
            b'.' | b'-' => SEPARATOR,
            octet if is_name_octet(octet) => PLAIN,
            _ => OTHER,
        };
        octet += 1;
    }
    classes
};

/// Whether a text is sure to be in normal form, as nearly all names are: a table tells of each octet,
/// without a branch. False may also mean that it takes a closer look.
pub(super) fn is_normal(text: &str) -> bool {
    // A text no longer than a label may be has no label that is too long.
    if text.len() > MAX_LABEL {
        return false;
    }
    // Both ends are separators to what stands beside them.
    let (bad, last) = text.bytes().fold((PLAIN, SEPARATOR), |(bad, last), octet| {
        let class = CLASSES.get(usize::from(octet)).copied().unwrap_or(OTHER);
        (bad | class & (last | OTHER), class)
    });
    bad | last == PLAIN
}

const fn is_name_octet(octet: u8) -> bool {
    matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')
}

/// A label in ACE form needs its own check: it may decode to something that is no name.
fn has_a_label(text: &str) -> bool {
    text.split('.').any(|label| label.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("xn--")))
}

fn validate(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(Error::TooLong);
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(Error::EmptyLabel);
        }
        if label.len() > MAX_LABEL {
            return Err(Error::TooLong);
        }
        if !label.bytes().all(is_name_octet) {
            return Err(Error::Character);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(Error::Hyphen);
        }
    }
    Ok(())
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nearly_all_names_are_is_seen_at_a_glance() {
        let (longest, too_long) = ("a".repeat(MAX_LABEL), "a".repeat(MAX_LABEL + 1));
        for name in ["contoso.com", "a", "0.9", "x-y.z_1.example", &longest] {
            assert!(is_normal(name), "{name}");
        }
        for other in
            ["", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "xn--a.b", "A", "a b", "\u{fc}", &too_long]
        {
            assert!(!is_normal(other), "{other}");
        }
    }

    #[test]
    fn s3_s6_spellings_of_one_name_are_one() {
        let cases = [
            ("contoso.com", "contoso.com"),
            ("CONTOSO.Com", "contoso.com"),
            ("contoso.com.", "contoso.com"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("B\u{dc}CHER\u{3002}example.", "xn--bcher-kva.example"),
            // Non-transitional: sharp s stays itself.
            ("fa\u{df}.de", "xn--fa-hia.de"),
            ("foo_bar.example", "foo_bar.example"),
            ("_dmarc.example", "_dmarc.example"),
            ("1.2.3.4", "1.2.3.4"),
            ("a--b.example", "a--b.example"),
            ("localhost", "localhost"),
        ];
        for (text, normal) in cases {
            let domain = Domain::parse(text).unwrap();
            assert_eq!(domain.as_str(), normal, "{text}");
            assert_eq!(
                (domain.to_string(), format!("{domain:?}")),
                (normal.to_owned(), format!("{normal:?}"))
            );
            assert!(std::collections::HashSet::from([domain]).contains(normal), "{text}");
        }
    }

    #[test]
    fn s9_s10_what_is_not_exactly_a_name_is_refused() {
        let label64 = format!("{}.com", "a".repeat(64));
        let label63 = format!("{}.com", "a".repeat(63));
        let name253 = format!("{}.com", ["a".repeat(62).as_str(); 4].join(".").get(..249).unwrap());
        let letters_of_three_octets = [["\u{682a}"; 20].concat().as_str(); 5].join(".");
        for text in [label63.as_str(), name253.as_str(), letters_of_three_octets.as_str()] {
            assert!(Domain::parse(text).is_ok(), "{text}");
        }
        // No letter of any script: refused for its length, before anybody looks at its letters.
        let unread = "\u{ffff}".repeat(MAX_NAME + 86);
        let name254 = format!("{}.com", ["a".repeat(62).as_str(); 4].join(".").get(..250).unwrap());
        let cases = [
            ("", Error::Empty),
            (".", Error::Empty),
            ("..", Error::EmptyLabel),
            ("a..b", Error::EmptyLabel),
            (".a", Error::EmptyLabel),
            ("a.b..", Error::EmptyLabel),
            ("-a.example", Error::Hyphen),
            ("a-.example", Error::Hyphen),
            ("*.example", Error::Character),
            ("a b", Error::Character),
            ("a@b", Error::Character),
            ("a/b", Error::Character),
            ("a\0b", Error::Character),
            ("a\nb", Error::Character),
            ("a:b", Error::Character),
            ("[a]", Error::Character),
            ("xn--.example", Error::Idna),
            ("xn--999999999.example", Error::Idna),
            (label64.as_str(), Error::TooLong),
            (name254.as_str(), Error::TooLong),
            (unread.as_str(), Error::TooLong),
            ("\u{ffff}.example", Error::Idna),
        ];
        for (text, error) in cases {
            assert_eq!(Domain::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn s12_a_look_alike_is_another_name() {
        // Cyrillic small letter ie
        let other = Domain::parse("exampl\u{435}.com").unwrap();
        assert_ne!(other.as_str(), "example.com");
    }

    #[test]
    fn s12_below_means_a_whole_label_more() {
        let parent = Domain::parse("contoso.com").unwrap();
        for (name, expected) in [
            ("a.contoso.com", true),
            ("a.b.contoso.com", true),
            ("contoso.com", false),
            ("evilcontoso.com", false),
        ] {
            assert_eq!(Domain::parse(name).unwrap().is_below(&parent), expected, "{name}");
        }
        for (name, labels) in [("com", 1), ("contoso.com", 2), ("a.b.contoso.com.", 4)] {
            assert_eq!(Domain::parse(name).unwrap().labels(), labels, "{name}");
        }
        assert_eq!(parents("a.b.c").collect::<Vec<_>>(), ["b.c", "c"]);
        assert_eq!(parents("c").count(), 0);
    }

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_the_closer_one(
            text in prop_oneof![
                "[a-z0-9_.-]{0,12}",
                "(x|xn|xn-|xn--)[a-z-]{0,6}(\\.[a-zA-Z_-]{0,6}){0,3}",
                "[a-z]{55,64}(\\.[a-z]{1,64}){0,4}",
                "\\PC{0,20}",
                any::<String>(),
            ],
        ) {
            prop_assert_eq!(normalise(&text), normalise_any(&text));
            if is_normal(&text) {
                prop_assert_eq!(normalise_any(&text), Ok(Cow::Borrowed(text.as_str())));
            }
        }

        #[test]
        fn normalising_is_done_once(text in "\\PC{0,40}") {
            if let Ok(name) = normalise(&text) {
                prop_assert_eq!(normalise(&name).unwrap(), name.clone());
                prop_assert!(name.is_ascii());
            }
        }

        #[test]
        fn case_and_dot_do_not_matter(text in "[a-z0-9_]{1,10}(\\.[a-z0-9_]{1,10}){0,4}") {
            let upper = format!("{}.", text.to_ascii_uppercase());
            prop_assert_eq!(normalise(&text).unwrap(), normalise(&upper).unwrap());
        }
    }
}
