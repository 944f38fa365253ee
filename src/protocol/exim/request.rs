//! A request line, read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::Error;
use super::line::{Pair, Value, words};

/// The longest line with its line feed. Ours: a certificate of a thousand names in base64 has room in it.
pub const REQUEST_LIMIT: usize = 64 * 1024;

/// A question of Exim's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// `out`: from a router, about a recipient's domain.
    Out(OutRequest<'a>),
    /// `cert`: from a transport, about the certificate that a host shows.
    Certificate(CertificateRequest<'a>),
    /// `in`: from an ACL, about mail that comes in.
    In(MailRequest<'a>),
}

/// `out`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutRequest<'a> {
    /// The recipient's domain.
    pub domain: Value<'a>,
    /// The sender's domain; empty for the null sender.
    pub sender: Value<'a>,
}

/// `cert`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateRequest<'a> {
    /// The recipient's domain.
    pub domain: Value<'a>,
    /// The name or address of the host that is connected to.
    pub host: Value<'a>,
    /// The answer to `out` that the delivery goes by.
    pub answer: Value<'a>,
    /// The leaf certificate, DER.
    pub der: Vec<u8>,
}

/// `in`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailRequest<'a> {
    /// The client's address.
    pub ip: Value<'a>,
    /// What the client called itself.
    pub helo: Value<'a>,
    /// MAIL FROM; empty for the null sender.
    pub sender: Value<'a>,
    /// RCPT TO, when it is asked there; `None` at MAIL.
    pub recipient: Option<Value<'a>>,
    /// The TLS version in Exim's words; empty in plaintext.
    pub proto: Value<'a>,
    /// Whether the chain of the client's certificate leads to an authority that Exim trusts.
    pub verified: bool,
    /// The client's certificate, DER; empty without one.
    pub der: Vec<u8>,
    /// Exim's name for the message, if it has one already.
    pub id: Option<Value<'a>>,
}

/// Decodes the request that `buffer` begins with, and how many bytes it takes. `None`: its line has not ended yet.
///
/// # Errors
/// [`Error::LineTooLong`] without an end in [`REQUEST_LIMIT`] bytes, else what is wrong with the line.
pub fn decode(buffer: &[u8]) -> Result<Option<(Request<'_>, usize)>, Error> {
    let window = buffer.get(..REQUEST_LIMIT).unwrap_or(buffer);
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        let full = window.len() == REQUEST_LIMIT;
        return if full { Err(Error::LineTooLong { limit: REQUEST_LIMIT }) } else { Ok(None) };
    };
    let (line, behind) = buffer.split_at(end);
    if behind != b"\n" {
        return Err(Error::LineTrailing);
    }
    if line.contains(&b'\0') {
        return Err(Error::LineNul);
    }
    if line.contains(&b'\r') {
        return Err(Error::LineCarriageReturn);
    }
    Ok(Some((request(line)?, buffer.len())))
}

fn request(line: &[u8]) -> Result<Request<'_>, Error> {
    let (verb, pairs) = words(line)?;
    let mut keys = Keys(pairs);
    let request = match verb {
        b"out" => Request::Out(OutRequest { domain: keys.demand("domain")?, sender: keys.demand("sender")? }),
        b"cert" => Request::Certificate(CertificateRequest {
            domain: keys.demand("domain")?,
            host: keys.demand("host")?,
            answer: keys.demand("answer")?,
            der: certificate(&keys.demand("der")?)?,
        }),
        b"in" => {
            let request = MailRequest {
                ip: keys.demand("ip")?,
                helo: keys.demand("helo")?,
                sender: keys.demand("sender")?,
                recipient: keys.find("recipient")?,
                proto: keys.demand("proto")?,
                verified: match keys.demand("cv")?.as_ref() {
                    b"1" => true,
                    b"0" | b"" => false,
                    _ => return Err(Error::LineMalformed),
                },
                der: certificate(&keys.demand("der")?)?,
                id: keys.find("id")?,
            };
            // Exim may say more of the session; nothing is decided by it.
            for key in ["cipher", "bits", "sni"] {
                keys.find(key)?;
            }
            Request::In(request)
        }
        _ => return Err(Error::VerbUnknown),
    };
    if keys.0.is_empty() { Ok(request) } else { Err(Error::KeyUnknown) }
}

/// The pairs that nobody has asked for yet.
struct Keys<'a>(Vec<Pair<'a>>);

impl<'a> Keys<'a> {
    /// Takes the value of a key, which may be there once.
    fn find(&mut self, key: &'static str) -> Result<Option<Value<'a>>, Error> {
        let mut found = self.0.extract_if(.., |(name, _)| *name == key.as_bytes());
        let value = found.next().map(|(_, value)| value);
        if found.next().is_some() { Err(Error::KeyTwice(key)) } else { Ok(value) }
    }

    fn demand(&mut self, key: &'static str) -> Result<Value<'a>, Error> {
        self.find(key)?.ok_or(Error::KeyMissing(key))
    }
}

fn certificate(base64: &[u8]) -> Result<Vec<u8>, Error> {
    STANDARD.decode(base64).map_err(|_| Error::Base64)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
