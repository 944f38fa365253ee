//! Certificates out of a PEM text, each error with the line where its block begins.
//!
//! Text between the blocks is passed over, as everywhere. A block of another kind is refused
//! rather than passed over: Postfix does the same in a `tafile` (tls_dane.c:
//! tls_dane_load_trustfile), and a private key has no business in a file that we are given. So is
//! a boundary that OpenSSL would not see because something stands before it on the line: the
//! certificate would be registered here and unknown there.

use x509_parser::pem::parse_x509_pem;

use super::error::Error;
use super::facts::{Certificate, MAX_DER};

/// Certificates that one text may hold; more are refused. Ours: the bundle of all public
/// authorities has some 150.
pub const MAX_CERTIFICATES: usize = 512;

/// Bytes of a block's text that cannot be a certificate of [`MAX_DER`]: base64 takes 4 for 3, and
/// a line end for every few.
const MAX_BLOCK: usize = MAX_DER * 2;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Every certificate of a PEM text, in its order; at least one.
///
/// # Errors
/// [`Error`], with the line ([`Error::line`]) where that makes sense. A private key is told
/// before anything else.
pub fn certificates(text: &[u8]) -> Result<Vec<Certificate>, Error> {
    let mut lines = lines(text);
    if let Some(line) = lines.clone().find(|line| line.is_private_key()) {
        return Err(Error::PrivateKey { line: line.number });
    }
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_misplaced() || line.bytes.starts_with(END) {
            return Err(Error::Boundary { line: line.number });
        }
        if !line.bytes.starts_with(BEGIN) {
            continue;
        }
        match line.label() {
            Some(b"CERTIFICATE" | b"X509 CERTIFICATE") => {}
            Some(label) => {
                let label = String::from_utf8_lossy(label).into_owned();
                return Err(Error::OtherBlock { line: line.number, label });
            }
            None => return Err(Error::Boundary { line: line.number }),
        }
        if found.len() == MAX_CERTIFICATES {
            return Err(Error::TooManyCertificates { line: line.number });
        }
        let end = block_end(&line, &mut lines)?;
        let block = text.get(line.start..end).unwrap_or_default();
        found.push(certificate(line.number, block)?);
    }
    if !found.is_empty() {
        return Ok(found);
    }
    // 0x30: a SEQUENCE, with which every DER certificate begins, and no text of a person.
    Err(if text.starts_with(&[0x30]) && Certificate::from_der(text).is_ok() {
        Error::Binary
    } else {
        Error::NoCertificate
    })
}

/// Reads on to the end of the block that begins at `first`; the offset behind it.
fn block_end<'a>(first: &Line<'a>, lines: &mut impl Iterator<Item = Line<'a>>) -> Result<usize, Error> {
    for line in lines {
        if line.bytes.starts_with(BEGIN) {
            break;
        }
        if line.is_misplaced() {
            return Err(Error::Boundary { line: line.number });
        }
        if line.bytes.starts_with(END) {
            let same = line.bytes.strip_prefix(END) == first.bytes.strip_prefix(BEGIN);
            return if same { Ok(line.end) } else { Err(Error::Boundary { line: line.number }) };
        }
    }
    Err(Error::Unterminated { line: first.number })
}

fn certificate(line: usize, block: &[u8]) -> Result<Certificate, Error> {
    let in_block = |problem| Error::Block { line, problem: Box::new(problem) };
    if block.len() > MAX_BLOCK {
        return Err(in_block(Error::TooLarge));
    }
    let (_, decoded) = parse_x509_pem(block).map_err(|_| Error::Encoding { line })?;
    Certificate::from_der(&decoded.contents).map_err(in_block)
}

/// A line without its end.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// From 1.
    number: usize,
    /// Offset of its first byte, and of the first one behind its content.
    start: usize,
    end: usize,
    /// Its content, without trailing blanks.
    bytes: &'a [u8],
}

fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> + Clone {
    let mut next = 0;
    text.split(|&b| b == b'\n').zip(1..).map(move |(bytes, number)| {
        let start = next;
        next += bytes.len() + 1;
        let bytes = bytes.trim_ascii_end();
        Line { number, start, end: start + bytes.len(), bytes }
    })
}

impl<'a> Line<'a> {
    /// The kind of block that begins here; `None` when the line is not well-formed.
    fn label(&self) -> Option<&'a [u8]> {
        let label = self.bytes.strip_prefix(BEGIN)?.strip_suffix(DASHES)?;
        let known = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b' ';
        (!label.is_empty() && label.len() <= 40 && label.iter().all(known)).then_some(label)
    }

    /// Wherever in the line it begins: whoever sees the file sees the key.
    fn is_private_key(&self) -> bool {
        contains(self.bytes, BEGIN) && contains(self.bytes, b"PRIVATE KEY")
    }

    /// A boundary, but not at the start of the line.
    fn is_misplaced(&self) -> bool {
        let behind = self.bytes.get(1..).unwrap_or_default();
        contains(behind, BEGIN) || contains(behind, END)
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const ONE: &str = include_str!("../../../tests/captures/certificates/good-sans.pem");
    const CHAIN: &str = include_str!("../../../tests/captures/certificates/intermediate.pem");

    fn key(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    }

    #[test]
    fn certificates_in_their_order_and_in_every_dress() {
        let names = |text: &str| -> Vec<String> {
            let found = certificates(text.as_bytes()).unwrap();
            found.iter().map(|certificate| certificate.subject().to_owned()).collect()
        };
        assert_eq!(names(CHAIN), ["CN=mail.partner.example", "CN=Lab Intermediate CA"]);
        assert_eq!(names(&format!("{CHAIN}{ONE}")).len(), 3);
        let one = ["CN=mail.partner.example"];
        assert_eq!(names(&ONE.replace('\n', "\r\n")), one);
        assert_eq!(names(&ONE.replace('\n', "  \n")), one);
        assert_eq!(names(ONE.trim_end()), one);
        assert_eq!(names(&format!("subject=CN = mail\n# bönk\n\n{ONE}\nnotes\n")), one);
        assert_eq!(names(&ONE.replace("CERTIFICATE", "X509 CERTIFICATE")), one);
    }

    #[test]
    fn a_broken_file_says_where() {
        let lines: Vec<&str> = ONE.lines().collect();
        let body = lines[1..lines.len() - 1].join("\n");
        let line = 3 + ONE.lines().count();
        let after = |rest: &str| format!("one\ntwo\n{ONE}{rest}");
        let other = |label: &str| Error::OtherBlock { line, label: label.to_owned() };
        let cases = [
            (String::new(), Error::NoCertificate),
            ("nothing here\n".to_owned(), Error::NoCertificate),
            (body.clone(), Error::NoCertificate),
            (after(&key("PRIVATE KEY")), Error::PrivateKey { line }),
            (after(&key("RSA PRIVATE KEY")), Error::PrivateKey { line }),
            (after(&key("ENCRYPTED PRIVATE KEY")), Error::PrivateKey { line }),
            (after(&format!("  {}", key("EC PRIVATE KEY"))), Error::PrivateKey { line }),
            // Told before what stands earlier in the file.
            (format!("-----BEGIN X\n{}", key("PRIVATE KEY")), Error::PrivateKey { line: 2 }),
            (after(&key("CERTIFICATE REQUEST")), other("CERTIFICATE REQUEST")),
            (after(&key("TRUSTED CERTIFICATE")), other("TRUSTED CERTIFICATE")),
            (after(&key("PUBLIC KEY")), other("PUBLIC KEY")),
            (after(&key("PKCS7")), other("PKCS7")),
            (after(&format!(" {ONE}")), Error::Boundary { line }),
            (format!("\u{feff}{ONE}"), Error::Boundary { line: 1 }),
            (after(&ONE.replacen("CERTIFICATE-----", "CERTIFICATE----", 1)), Error::Boundary { line }),
            (after(&ONE.replacen("CERTIFICATE", "certificate", 1)), Error::Boundary { line }),
            (after("-----END CERTIFICATE-----\n"), Error::Boundary { line }),
            (
                after(&ONE.replace("-----END CERT", "-----END X509 CERT")),
                Error::Boundary { line: 2 * line - 4 },
            ),
            (after(&format!("-----BEGIN CERTIFICATE-----\n{body}")), Error::Unterminated { line }),
            (after(&format!("-----BEGIN CERTIFICATE-----\n{ONE}")), Error::Unterminated { line }),
            (after(&key("CERTIFICATE").replace("AAAA", "AA-A")), Error::Encoding { line }),
            (after(&key("CERTIFICATE").replace("AAAA", "AAA")), Error::Encoding { line }),
            (after(&key("CERTIFICATE")), Error::Block { line, problem: Box::new(Error::NotACertificate) }),
            (
                after(&key("CERTIFICATE").replace("AAAA", &"AAAA".repeat(MAX_BLOCK / 4))),
                Error::Block { line, problem: Box::new(Error::TooLarge) },
            ),
        ];
        for (text, expected) in cases {
            let found = certificates(text.as_bytes()).unwrap_err();
            assert_eq!(found, expected, "{}", text.get(..200).unwrap_or(&text));
            let shown = found.to_string();
            assert_eq!(found.line().is_some(), shown.starts_with("line "), "{shown}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        for length in 0..ONE.trim_end().len() {
            assert!(certificates(&ONE.as_bytes()[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn der_is_told_from_text() {
        let (_, der) = parse_x509_pem(ONE.as_bytes()).unwrap();
        assert_eq!(certificates(&der.contents), Err(Error::Binary));
        assert_eq!(certificates(b"0 is not DER"), Err(Error::NoCertificate));
    }

    #[test]
    fn a_bundle_has_its_limit() {
        let most = ONE.repeat(MAX_CERTIFICATES);
        assert_eq!(certificates(most.as_bytes()).unwrap().len(), MAX_CERTIFICATES);
        let line = most.lines().count() + 1;
        let refused = certificates(format!("{most}{ONE}").as_bytes());
        assert_eq!(refused, Err(Error::TooManyCertificates { line }));
    }
    #[test]
    fn a_block_that_is_too_large_is_not_read() {
        // Not base64, but nobody looks.
        let block = |bytes: usize| {
            let boundaries = "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----".len();
            key("CERTIFICATE").replace("AAAA", &"?".repeat(bytes - boundaries))
        };
        let refused = |bytes| certificates(block(bytes).as_bytes()).unwrap_err();
        assert_eq!(refused(MAX_BLOCK), Error::Encoding { line: 1 });
        for bytes in [MAX_BLOCK + 1, 2 * MAX_BLOCK] {
            assert_eq!(refused(bytes), Error::Block { line: 1, problem: Box::new(Error::TooLarge) });
        }
    }
}
