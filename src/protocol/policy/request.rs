//! The request: smtpd's `name=value` lines, ended by an empty one.
//!
//! Promises: attributes may come in any order; those we decide on are returned as sent, absent ones as empty, which is the
//! weakest each can say (no `encryption_protocol`: no TLS). A value begins behind the line's *first* `=`
//! (`util/attr_scan_plain.c`) and may contain more. Other attributes are ignored, so that newer Postfix can add some. Lines
//! are judged from the first to the last, as soon as their bytes are there, in time linear in the bytes: `\r\n` line ends,
//! which never make an empty line, are refused at the first one and not when the deadline comes.
//!
//! Refuses: an attribute we decide on that comes twice, CR and NUL anywhere, a line without `=`, a request that is empty
//! or not for `smtpd_access_policy`, and what is over the limits.
//!
//! Knows nothing of what the values mean: addresses, states and certificate names are the answer's to read.

use memchr::{memchr, memchr2};

use super::super::Error;

/// The longest request with the empty line that ends it. Ours; Postfix's are below 1 KiB unless an address is very long.
/// A longer one closes the connection.
pub const REQUEST_LIMIT: usize = 64 * 1024;

/// The most attributes of a request. Ours; Postfix 3.12 sends 32. One more closes the connection.
pub const ATTRIBUTE_LIMIT: usize = 256;

/// The longest name of an attribute. Ours; Postfix's longest has 24 bytes. A longer one closes the connection.
pub const NAME_LIMIT: usize = 64;

const SERVICE: &[u8] = b"smtpd_access_policy";

/// Name and value of one line.
type Attribute<'a> = (&'a [u8], &'a [u8]);

/// One list for the three places that must agree: the request's fields, which of them were seen, and their names.
macro_rules! attributes {
    ($($(#[$documentation:meta])* $name:ident)*) => {
        /// What smtpd says about one moment of an SMTP session. Bytes as sent; empty if smtpd does not know or say it.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Request<'a> {
            $($(#[$documentation])* pub $name: &'a [u8],)*
        }

        /// A request as far as it was read.
        #[derive(Default)]
        struct Attributes<'a> {
            request: Option<&'a [u8]>,
            $($name: Option<&'a [u8]>,)*
        }

        impl<'a> Attributes<'a> {
            /// The place of an attribute that we decide on. It is asked for each line of each request: by
            /// the length of its name nearly every other one is told apart.
            #[inline(always)]
            fn slot(&mut self, name: &[u8]) -> Option<&mut Option<&'a [u8]>> {
                $(if name == stringify!($name).as_bytes() {
                    return Some(&mut self.$name);
                })*
                (name == b"request").then_some(&mut self.request)
            }

            /// The same name, for a message.
            fn known(name: &[u8]) -> &'static str {
                $(if name == stringify!($name).as_bytes() {
                    return stringify!($name);
                })*
                "request"
            }

            fn finish(self) -> Result<Request<'a>, Error> {
                match self.request {
                    None => Err(Error::ServiceMissing),
                    Some(_) => Ok(Request { $($name: self.$name.unwrap_or_default(),)* }),
                }
            }
        }
    };
}

attributes! {
    /// `CONNECT`, `EHLO`, `HELO`, `MAIL`, `RCPT`, `DATA`, `END-OF-MESSAGE`, `VRFY` or `ETRN`.
    protocol_state
    /// The client's IP address, without brackets or `IPv6:`.
    client_address
    /// The HELO or EHLO argument.
    helo_name
    /// The envelope sender without quoting or angle brackets, case kept; empty also for the null sender.
    sender
    /// The envelope recipient, likewise; empty at DATA and END-OF-MESSAGE if there are several.
    recipient
    /// How many recipients were accepted; other than `0` only at DATA and END-OF-MESSAGE.
    recipient_count
    /// Empty until the first recipient was accepted.
    queue_id
    /// The same for all requests about one message; empty before MAIL.
    instance
    /// The login name of an authenticated client.
    sasl_username
    /// The first CN of a *trusted* client certificate, in xtext.
    ccert_subject
    /// The issuer's CN, or its O, in xtext; empty if the client certificate is not trusted.
    ccert_issuer
    /// The digest of the client certificate, trusted or not: upper-case hexadecimal pairs with colons.
    ccert_fingerprint
    /// The digest of the client certificate's public key, likewise.
    ccert_pubkey_fingerprint
    /// `TLSv1.3` and so on; empty without TLS.
    encryption_protocol
}

/// Decodes the request that `buffer` begins with, and how many bytes it takes. `None`: its empty line is yet to come.
///
/// # Errors
/// What the first line that is wrong has wrong; see the module's *Refuses*.
pub fn decode(buffer: &[u8]) -> Result<Option<(Request<'_>, usize)>, Error> {
    let window = buffer.get(..REQUEST_LIMIT).unwrap_or(buffer);
    match decode_whole(window) {
        Some(decoded) => Ok(Some(decoded)),
        None => judge(window),
    }
}

/// What nearly every call is for: a request that is whole and in order. Of all others [`judge`] says what they are.
fn decode_whole(window: &[u8]) -> Option<(Request<'_>, usize)> {
    let mut attributes = Attributes::default();
    let mut rest = window;
    for _ in 0..=ATTRIBUTE_LIMIT {
        if let [b'\n', behind @ ..] = rest {
            let consumed = window.len() - behind.len();
            let clean = memchr2(b'\r', b'\0', window.get(..consumed)?).is_none();
            let ours = attributes.request == Some(SERVICE);
            return Some((attributes.finish().ok()?, consumed)).filter(|_| clean && ours);
        }
        let (name, behind) = cut(rest, [b'=', b'\n']).filter(|(_, behind)| behind.starts_with(b"="))?;
        let (value, behind) = cut(behind.get(1..)?, [b'\n'])?;
        rest = behind.get(1..)?;
        let seen = attributes.slot(name).is_some_and(|slot| slot.replace(value).is_some());
        if seen || name.len() > NAME_LIMIT {
            return None;
        }
    }
    None
}

/// Cuts before the first of these bytes, found eight at a time. Names and values are so short that a search for longer
/// ones is not under way yet when this one is done.
fn cut<const N: usize>(bytes: &[u8], before: [u8; N]) -> Option<(&[u8], &[u8])> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let wanted = before.map(|byte| ONES * u64::from(byte));
    let (words, last) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = wanted.iter().fold(0, |found, wanted| {
            // Zero where the byte is. A one taken from all bytes sets the high bit of the first zero, and of none before.
            let differs = word ^ wanted;
            found | differs.wrapping_sub(ONES) & !differs & HIGHS
        });
        if found != 0 {
            return bytes.split_at_checked(8 * number + usize::try_from(found.trailing_zeros() / 8).ok()?);
        }
    }
    let at = last.iter().position(|byte| before.contains(byte))?;
    bytes.split_at_checked(bytes.len() - last.len() + at)
}

/// Goes through the lines one by one, so that what is wrong first is told.
fn judge(window: &[u8]) -> Result<Option<(Request<'_>, usize)>, Error> {
    let mut attributes = Attributes::default();
    let mut consumed = 0;
    for (number, piece) in lines(window).enumerate() {
        consumed += piece.len();
        if piece == b"\n" {
            return match number {
                0 => Err(Error::RequestEmpty),
                _ => attributes.finish().map(|request| Some((request, consumed))),
            };
        }
        if number >= ATTRIBUTE_LIMIT {
            return Err(Error::TooManyAttributes { limit: ATTRIBUTE_LIMIT });
        }
        let line = piece.strip_suffix(b"\n");
        match (line, split(line.unwrap_or(piece))?) {
            (Some(_), Some((name, value))) => attributes.add(name, value)?,
            (Some(_), None) => return Err(Error::EqualsMissing),
            // The line goes on; what there is of it is in order.
            (None, _) => {}
        }
    }
    if window.len() == REQUEST_LIMIT {
        return Err(Error::RequestTooLong { limit: REQUEST_LIMIT });
    }
    Ok(None)
}

/// The lines with their ends; the last one may have none.
fn lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, behind) = rest.split_at_checked(end).filter(|(line, _)| !line.is_empty())?;
        rest = behind;
        Some(line)
    })
}

impl<'a> Attributes<'a> {
    fn add(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Error> {
        let Some(slot) = self.slot(name) else {
            return Ok(());
        };
        if slot.replace(value).is_some() {
            return Err(Error::AttributeTwice(Attributes::known(name)));
        }
        if name == b"request" && value != SERVICE {
            return Err(Error::ServiceUnknown);
        }
        Ok(())
    }
}

/// Splits a line, or as much of it as there is, at its first `=`.
///
/// Judges strictly from left to right, so that a line is refused for the same reason whether it came whole or in pieces.
fn split(line: &[u8]) -> Result<Option<Attribute<'_>>, Error> {
    // A name of the full length and its `=`.
    let (head, tail) = line.split_at_checked(NAME_LIMIT + 1).unwrap_or((line, &[]));
    refuse_forbidden(head)?;
    let Some(equals) = memchr(b'=', head) else {
        return match head.len() > NAME_LIMIT {
            true => Err(Error::NameTooLong { limit: NAME_LIMIT }),
            false => Ok(None),
        };
    };
    refuse_forbidden(tail)?;
    Ok(line.split_at_checked(equals).and_then(|(name, value)| Some((name, value.strip_prefix(b"=")?))))
}

fn refuse_forbidden(bytes: &[u8]) -> Result<(), Error> {
    match memchr2(b'\r', b'\0', bytes).and_then(|at| bytes.get(at)) {
        None => Ok(()),
        Some(b'\r') => Err(Error::CarriageReturn),
        Some(_) => Err(Error::Nul),
    }
}

#[cfg(test)]
mod tests;
