//! The line protocol for Exim: `VERB key=value key="value"` in, one line out, and the connection ends.
//!
//! Promises: a request is one line, read as Exim's string expansion writes it with `${quote:}` around every free value;
//! what a peer puts into such a value, line feeds included, stays in it. An answer is made of a closed alphabet and ends
//! in `end=ok`, because `${readsocket}` takes an answer that was cut for a whole one.
//!
//! Refuses: an unknown verb, a key that is unknown, missing or there twice, any other quoting, and bytes behind the line:
//! where somebody forgot `${quote:}`, a peer may have written them, and it is not for us to guess which of two values
//! is the honest one. The refusal is [`REFUSAL`]; it makes every question of contrib/exim wait.
//!
//! Exim's side (expand.c: `${quote:}`, `${extract}`; lookups/readsock.c) decides the syntax.

mod answer;
mod line;
mod request;

pub use answer::{Answer, REFUSAL};
pub use request::{CertificateRequest, MailRequest, OutRequest, REQUEST_LIMIT, Request, decode};

/// Postfix's word for a TLS version that Exim names: `TLS1.2` is `TLSv1.2`, `TLS1.0` is `TLSv1` (GnuTLS's words,
/// tls-gnu.c). What else is named stays as it is, and is no version that anybody knows.
pub fn tls_word(version: &[u8]) -> &[u8] {
    match version {
        b"TLS1.0" => b"TLSv1",
        b"TLS1.1" => b"TLSv1.1",
        b"TLS1.2" => b"TLSv1.2",
        b"TLS1.3" => b"TLSv1.3",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_the_words_of_postfix() {
        // As OpenSSL's and GnuTLS's Exim put them into $tls_in_ver, and what is no version of theirs.
        for (exim, postfix) in [
            ("TLS1.0", "TLSv1"),
            ("TLS1.1", "TLSv1.1"),
            ("TLS1.2", "TLSv1.2"),
            ("TLS1.3", "TLSv1.3"),
            ("TLSv1.2", "TLSv1.2"),
            ("TLS1.4", "TLS1.4"),
            ("SSL3.0", "SSL3.0"),
            ("", ""),
        ] {
            assert_eq!(tls_word(exim.as_bytes()), postfix.as_bytes(), "{exim}");
        }
    }
}
