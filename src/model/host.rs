//! What a connection can be made to, and the texts that name it.
//!
//! Postfix asks the TLS policy map for a *next-hop*: a recipient domain (`contoso.com`), or what
//! a transport or `relayhost` says, verbatim: `[mail.contoso.com]:587`, `contoso.com:submission`,
//! `[192.0.2.1]`, `[IPv6:2001:db8::1]`. A connector answers for the host behind it, whatever the
//! port: another port must not lower the answer, so ports are read (they must be well formed)
//! and then forgotten.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::domain::{self, Domain};

/// Longest service name that is read as a port; the longest in the IANA registry has 15 octets
/// (RFC 6335 section 5.1). A longer one makes the key invalid.
const MAX_SERVICE: usize = 32;

/// A host: a name or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A host name, or a domain with MX records.
    Name(Domain),
    /// An address; an IPv4-mapped one is kept as IPv4.
    Address(IpAddr),
}

/// Why a text names no next-hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Brackets that do not match.
    #[error("unbalanced bracket in next-hop")]
    Bracket,
    /// Neither a number from 1 to 65535 nor a service name.
    #[error("invalid port in next-hop")]
    Port,
    /// `IPv6:` with something else behind it.
    #[error("invalid IPv6 address in next-hop")]
    Ipv6,
    /// The host is no domain name.
    #[error("{0}")]
    Domain(#[from] domain::Error),
}

/// A next-hop as read from a lookup key, borrowing what it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The host or domain.
    pub host: KeyHost<'a>,
    /// Neither brackets nor a port: what Postfix asks for a recipient domain.
    pub bare: bool,
}

/// The host of a [`Key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyHost<'a> {
    /// A normalised domain name.
    Name(Cow<'a, str>),
    /// An address.
    Address(IpAddr),
}

impl<'a> Key<'a> {
    /// Reads a next-hop as Postfix writes it.
    ///
    /// # Errors
    /// [`Error`] when it is not exactly one next-hop.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        match normal_name(text) {
            Some(host) => Ok(Key { host, bare: true }),
            None => Key::parse_any(text),
        }
    }

    /// Reads a text of which nothing is known.
    fn parse_any(text: &'a str) -> Result<Self, Error> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or(Error::Bracket)?;
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => return Err(Error::Bracket),
                }
            }
            None if text.contains(']') => return Err(Error::Bracket),
            None => match text.rsplit_once(':') {
                Some(_) if text.parse::<Ipv6Addr>().is_ok() => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if let Some(port) = port {
            validate_port(port)?;
        }
        let bare = port.is_none() && !text.starts_with('[');
        Ok(Key { host: KeyHost::parse(host)?, bare })
    }
}

/// What nearly every host is: a name in normal form, and no address, since those end in a digit.
fn normal_name(text: &str) -> Option<KeyHost<'_>> {
    let is_name = domain::is_normal(text) && !text.as_bytes().last().is_some_and(u8::is_ascii_digit);
    is_name.then_some(KeyHost::Name(Cow::Borrowed(text)))
}

impl<'a> KeyHost<'a> {
    /// Reads a host without brackets.
    ///
    /// # Errors
    /// [`Error`] when it is neither an address nor a domain name.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        normal_name(text).map_or_else(|| KeyHost::parse_any(text), Ok)
    }

    /// Reads a text of which nothing is known.
    fn parse_any(text: &'a str) -> Result<Self, Error> {
        const PREFIX: usize = "IPv6:".len();
        if text.get(..PREFIX).is_some_and(|head| head.eq_ignore_ascii_case("IPv6:")) {
            let address: Ipv6Addr =
                text.get(PREFIX..).unwrap_or_default().parse().map_err(|_| Error::Ipv6)?;
            return Ok(KeyHost::Address(IpAddr::V6(address).to_canonical()));
        }
        if text.contains(':')
            && let Ok(address) = text.parse::<IpAddr>()
        {
            return Ok(KeyHost::Address(address.to_canonical()));
        }
        let name = domain::normalise(text)?;
        // A dot at the end or digits of another script hide an address only until they are taken
        // off: what we say of it then comes back as one, in Postfix's question. (Every address ends in
        // a digit, and nearly no name does.)
        let like_address = name.ends_with(|last: char| last.is_ascii_digit());
        match like_address.then(|| name.parse::<Ipv4Addr>()) {
            Some(Ok(address)) => Ok(KeyHost::Address(IpAddr::V4(address))),
            Some(Err(_)) | None => Ok(KeyHost::Name(name)),
        }
    }
}

/// A number, or a service name (RFC 6335 section 5.1: it has a letter, and no hyphen at its edge):
/// Postfix keeps the name verbatim in the key and resolves it when it connects.
fn validate_port(port: &str) -> Result<(), Error> {
    let number = port.bytes().all(|b| b.is_ascii_digit());
    let valid = if number {
        port.parse::<u16>().is_ok_and(|number| number > 0)
    } else {
        port.len() <= MAX_SERVICE
            && port.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && port.bytes().any(|b| b.is_ascii_alphabetic())
            && !port.starts_with('-')
            && !port.ends_with('-')
    };
    if valid { Ok(()) } else { Err(Error::Port) }
}

/// A smart host as an administrator writes it: `[mail.contoso.com]:587`, or without brackets
/// for a domain whose MX records are to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    host: Host,
    use_mx: bool,
    port: Option<String>,
}

impl NextHop {
    /// Reads a smart host.
    ///
    /// # Errors
    /// [`Error`] when it is no next-hop.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let key = Key::parse(text)?;
        let bracketed = text.starts_with('[');
        let port = if key.bare {
            None
        } else {
            text.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'))
        };
        let (host, use_mx) = match key.host {
            KeyHost::Name(name) => (Host::Name(Domain::parse(&name)?), !bracketed),
            KeyHost::Address(address) => (Host::Address(address), false),
        };
        Ok(NextHop { host, use_mx, port: port.map(str::to_owned) })
    }

    /// The host behind it.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whether the MX records of the host are to be used, and not its own addresses.
    pub fn uses_mx(&self) -> bool {
        self.use_mx
    }

    /// The port as written, a number or a service name; `None` for 25.
    pub fn port(&self) -> Option<&str> {
        self.port.as_deref()
    }

    /// Whether Postfix asks for it as for a recipient domain, with neither brackets nor a port.
    pub fn is_bare(&self) -> bool {
        self.use_mx && self.port.is_none()
    }
}

impl fmt::Display for NextHop {
    /// As Postfix takes it in a transport table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.use_mx {
            write!(f, "{}", self.host)?;
        } else {
            write!(f, "[{}]", self.host)?;
        }
        match &self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(domain) => write!(f, "{domain}"),
            Host::Address(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nearly_every_host_is_is_seen_at_a_glance() {
        assert_eq!(normal_name("mx1.contoso.com"), Some(KeyHost::Name(Cow::Borrowed("mx1.contoso.com"))));
        for other in ["192.0.2.1", "MX1.contoso.com", "mx1.contoso.com.", ""] {
            assert_eq!(normal_name(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_the_closer_one(
            text in prop_oneof![
                "[a-z0-9_.-]{0,12}",
                "([0-9]{1,3}\\.){3}[0-9]{1,3}\\.?[a-z]?",
                "\\[?[a-zA-Z0-9.:-]{0,12}\\]?(:[a-z0-9]{0,4})?",
                any::<String>(),
            ],
        ) {
            prop_assert_eq!(Key::parse(&text), Key::parse_any(&text));
            prop_assert_eq!(KeyHost::parse(&text), KeyHost::parse_any(&text));
        }
    }

    #[test]
    fn s7_every_spelling_that_postfix_sends_is_read() {
        let name = |text: &'static str| KeyHost::Name(Cow::Borrowed(text));
        let address = |text: &str| KeyHost::Address(text.parse().unwrap());
        let cases = [
            ("contoso.com", name("contoso.com"), true),
            ("Contoso.COM", name("contoso.com"), true),
            ("contoso.com:25", name("contoso.com"), false),
            ("contoso.com:submission", name("contoso.com"), false),
            ("[mail.contoso.com]", name("mail.contoso.com"), false),
            ("[MAIL.contoso.com]:587", name("mail.contoso.com"), false),
            ("[mail.contoso.com]:smtp", name("mail.contoso.com"), false),
            ("contoso.com:65535", name("contoso.com"), false),
            ("contoso.com:x-smtp_2", name("contoso.com"), false),
            ("contoso.com:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", name("contoso.com"), false),
            ("[192.0.2.10]", address("192.0.2.10"), false),
            ("[192.0.2.10]:25", address("192.0.2.10"), false),
            ("192.0.2.10", address("192.0.2.10"), true),
            ("192.0.2.10.", address("192.0.2.10"), true),
            ("[192.0.2.10.]:25", address("192.0.2.10"), false),
            ("\u{ff11}92.0.2.10", address("192.0.2.10"), true),
            ("[IPv6:2001:db8::10]", address("2001:db8::10"), false),
            ("[ipv6:2001:db8::10]:25", address("2001:db8::10"), false),
            ("[2001:db8::10]:2525", address("2001:db8::10"), false),
            ("2001:db8::10", address("2001:db8::10"), true),
            ("[::ffff:192.0.2.10]", address("192.0.2.10"), false),
        ];
        for (text, host, bare) in cases {
            assert_eq!(Key::parse(text), Ok(Key { host, bare }), "{text}");
        }
    }

    #[test]
    fn s7_s10_what_names_nothing_is_refused() {
        let name = Error::Domain;
        let character = name(domain::Error::Character);
        for (text, error) in [
            ("", name(domain::Error::Empty)),
            ("[", Error::Bracket),
            ("]", Error::Bracket),
            ("[]", name(domain::Error::Empty)),
            ("[a", Error::Bracket),
            ("a]", Error::Bracket),
            ("a]:25", Error::Bracket),
            ("[a]b", Error::Bracket),
            ("[a]:", Error::Port),
            ("a:", Error::Port),
            (":25", name(domain::Error::Empty)),
            ("[a]:0", Error::Port),
            ("[a]:65536", Error::Port),
            ("[a]:-1", Error::Port),
            ("[a]:-smtp", Error::Port),
            ("[a]:smtp-", Error::Port),
            ("[a]:1-2", Error::Port),
            ("[a]:1_2", Error::Port),
            ("[a]: 25", Error::Port),
            ("a:b:c", character),
            ("[IPv6:zz]", Error::Ipv6),
            ("[IPv6:192.0.2.1]", Error::Ipv6),
            ("[a b]", character),
            ("/run/lmtp.sock", character),
            ("a@b.example", character),
            ("*.example", character),
            ("a,b", character),
            ("[a]:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Error::Port),
        ] {
            assert_eq!(Key::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_smart_host_is_rendered_as_postfix_takes_it() {
        for (text, rendered) in [
            ("[Mail.Contoso.com]:587", "[mail.contoso.com]:587"),
            ("[mail.contoso.com]", "[mail.contoso.com]"),
            ("contoso.com", "contoso.com"),
            ("contoso.com:2525", "contoso.com:2525"),
            ("192.0.2.1", "[192.0.2.1]"),
            ("192.0.2.1.", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]:25", "[2001:db8::1]:25"),
            ("2001:db8::1", "[2001:db8::1]"),
        ] {
            assert_eq!(NextHop::parse(text).unwrap().to_string(), rendered);
        }
    }
    #[test]
    fn a_smart_host_says_how_it_is_reached() {
        // text, host, by MX, port, whether Postfix asks for it as for a domain
        for (text, host, uses_mx, port, bare) in [
            ("contoso.com", "contoso.com", true, None, true),
            ("contoso.com:2525", "contoso.com", true, Some("2525"), false),
            ("[mail.contoso.com]", "mail.contoso.com", false, None, false),
            ("[mail.contoso.com]:smtp", "mail.contoso.com", false, Some("smtp"), false),
            ("192.0.2.1", "192.0.2.1", false, None, false),
            ("192.0.2.1:25", "192.0.2.1", false, Some("25"), false),
            ("2001:db8::1", "2001:db8::1", false, None, false),
            ("[2001:db8::1]", "2001:db8::1", false, None, false),
            ("[IPv6:2001:db8::1]:25", "2001:db8::1", false, Some("25"), false),
        ] {
            let hop = NextHop::parse(text).unwrap();
            assert_eq!(hop.host().to_string(), host, "{text}");
            assert_eq!((hop.uses_mx(), hop.port(), hop.is_bare()), (uses_mx, port, bare), "{text}");
        }
    }
}
