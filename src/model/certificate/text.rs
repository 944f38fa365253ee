//! Text out of a distinguished name, exactly as Postfix takes it out.
//!
//! [`first`] is tls_verify.c:tls_text_name: what it returns is what a policy request would carry
//! (before xtext), so that a registered certificate and a presented one speak of the same name.
//! [`rendered`] is for people: short, on one line, and harmless on a terminal and in a log.

use x509_parser::asn1_rs::{Any, Oid, Tag};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::x509::X509Name;

/// Bytes of the longest text that Postfix hands on (tls.h: `CCERT_BUFSIZ` 256 with its final
/// NUL). A longer one is no name.
const MAX_TEXT: usize = 255;

/// Characters of a rendered name; what is over is cut, and an ellipsis says so.
const MAX_RENDERED: usize = 200;

/// Bytes of an attribute's OID that are rendered in digits; the registry has none over 12.
const MAX_OID: usize = 32;

/// The text of the first attribute of this kind.
///
/// Outer `None`: there is no usable one. It is the first one that counts: when that one is
/// unusable, a second one does not take its place. An empty text is `Some("")`.
pub(super) fn first(name: &X509Name<'_>, kind: &Oid<'_>) -> Option<String> {
    let value = name.iter_attributes().find(|attribute| attribute.attr_type() == kind)?;
    usable(value.attr_value())
}

/// The texts of all attributes of this kind, in their order, with whatever is in them: as OpenSSL
/// compares them with a name (v3_utl.c:do_check_string). One that cannot be decoded is no text.
pub(super) fn all(name: &X509Name<'_>, kind: &Oid<'_>) -> Vec<String> {
    let values = name.iter_attributes().filter(|attribute| attribute.attr_type() == kind);
    values.filter_map(|attribute| decoded(attribute.attr_value())).collect()
}

/// Trailing NULs are dropped, an embedded one or another ASCII control character makes the text
/// unusable, as does its length.
fn usable(value: &Any<'_>) -> Option<String> {
    let mut text = decoded(value)?;
    text.truncate(text.trim_end_matches('\0').len());
    (text.len() <= MAX_TEXT && !text.chars().any(|c| c.is_ascii_control())).then_some(text)
}

/// As OpenSSL's `ASN1_STRING_to_UTF8` decodes it: every single-byte kind as Latin-1.
fn decoded(value: &Any<'_>) -> Option<String> {
    let bytes = value.as_bytes();
    match value.tag() {
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::NumericString | Tag::PrintableString | Tag::T61String | Tag::Ia5String | Tag::VisibleString => {
            Some(bytes.iter().copied().map(char::from).collect())
        }
        Tag::BmpString => wide::<2>(bytes),
        Tag::UniversalString => wide::<4>(bytes),
        _ => None,
    }
}

/// Big-endian code points of a fixed width; surrogates are refused, as OpenSSL refuses them.
fn wide<const WIDTH: usize>(bytes: &[u8]) -> Option<String> {
    if !bytes.len().is_multiple_of(WIDTH) {
        return None;
    }
    let point = |unit: &[u8]| unit.iter().fold(0u32, |value, &byte| value << 8 | u32::from(byte));
    bytes.chunks(WIDTH).map(|unit| char::from_u32(point(unit))).collect()
}

/// `CN=mail.partner.example, O=Partner`, in the certificate's order, at most [`MAX_RENDERED`]
/// characters. What is neither printable ASCII nor a letter or digit of any script is escaped:
/// the text comes from the partner, and goes to terminals and logs.
pub(super) fn rendered(name: &X509Name<'_>) -> String {
    let mut out = String::new();
    let mut left = MAX_RENDERED;
    for attribute in name.iter_attributes() {
        let separator = if out.is_empty() { "" } else { ", " };
        let value = decoded(attribute.attr_value());
        let value = value.as_deref().unwrap_or("?");
        let kind = kind(attribute.attr_type());
        let text = separator.chars().chain(kind.chars()).chain(['=']).chain(value.chars());
        for c in text {
            let plain = c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric();
            if left == 0 {
                out.push('…');
                return out;
            }
            left -= 1;
            if plain {
                out.push(c);
            } else {
                out.extend(c.escape_default());
            }
        }
    }
    out
}

fn kind(oid: &Oid<'_>) -> String {
    match oid2abbrev(oid, oid_registry()) {
        Ok(short) => short.to_owned(),
        Err(_) if oid.as_bytes().len() <= MAX_OID => oid.to_id_string(),
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn texts_are_decoded_as_openssl_decodes_them() {
        let long = "a".repeat(256);
        let cases: &[(Tag, &[u8], Option<&str>)] = &[
            (Tag::Utf8String, "Bänk".as_bytes(), Some("Bänk")),
            (Tag::Utf8String, b"B\xe4nk", None),
            (Tag::PrintableString, b"mail.a.example", Some("mail.a.example")),
            (Tag::PrintableString, b"*.a.example", Some("*.a.example")),
            (Tag::T61String, b"B\xe4nk", Some("Bänk")),
            (Tag::Ia5String, b"", Some("")),
            (Tag::BmpString, b"\0B\0\xe4", Some("Bä")),
            (Tag::BmpString, b"\0B\0", None),
            (Tag::BmpString, b"\xd8\x3d\xde\x00", None),
            (Tag::UniversalString, b"\0\0\0B\0\x01\xf6\0", Some("B\u{1f600}")),
            (Tag::UniversalString, b"\0\x11\0\0", None),
            (Tag::OctetString, b"mail.a.example", None),
            (Tag::Utf8String, b"a.example\0\0", Some("a.example")),
            (Tag::Utf8String, b"a.example\0.evil.example", None),
            (Tag::Utf8String, b"a\tb", None),
            (Tag::Utf8String, b"a\x7fb", None),
            (Tag::Utf8String, &long.as_bytes()[..255], Some(&long[..255])),
            (Tag::Utf8String, long.as_bytes(), None),
        ];
        for (tag, bytes, expected) in cases {
            assert_eq!(usable(&Any::from_tag_and_data(*tag, bytes)).as_deref(), *expected, "{tag} {bytes:?}");
        }
    }
}
