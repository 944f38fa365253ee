//! Mail addresses that mail is sent to by us.

use std::fmt;

use super::Domain;

/// Octets of an address: RFC 5321 section 4.5.3.1.3, without its angle brackets.
const MAX_ADDRESS: usize = 254;

/// An address that can stand in an SMTP command as it is: ASCII, and its characters end neither the
/// path nor the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    local: String,
    domain: Domain,
}

impl Address {
    /// Reads it; the domain may be written with U-labels. `None` when it is no such address.
    pub fn parse(text: &str) -> Option<Address> {
        let (local, domain) = text.rsplit_once('@')?;
        let plain = |c: char| c.is_ascii_graphic() && !"<>".contains(c);
        if local.is_empty() || text.len() > MAX_ADDRESS || !local.chars().all(plain) {
            return None;
        }
        Some(Address { local: local.to_owned(), domain: Domain::parse(domain).ok()? })
    }

    /// What is behind the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_end_its_command() {
        let longest = format!("{}@contoso.com", "a".repeat(MAX_ADDRESS - "@contoso.com".len()));
        for good in
            ["postmaster@contoso.com", "a+b.c'd@x.contoso.com", "\"a@b\"@contoso.com", longest.as_str()]
        {
            assert_eq!(Address::parse(good).map(|address| address.to_string()), Some(good.to_owned()));
        }
        let idn = Address::parse("a@B\u{fc}cher.Example").map(|address| address.to_string());
        assert_eq!(idn, Some("a@xn--bcher-kva.example".to_owned()));
        let too_long = format!("a{longest}");
        for bad in [
            "",
            "@contoso.com",
            "postmaster",
            "postmaster@",
            "a b@contoso.com",
            "a>@contoso.com",
            "<a@contoso.com>",
            "a\r\nDATA\r\n@contoso.com",
            "a@contoso.com\r\nDATA",
            "a@contoso.com SIZE=1",
            "b\u{fc}cher@contoso.com",
            too_long.as_str(),
        ] {
            assert!(Address::parse(bad).is_none(), "{bad:?}");
        }
    }
}
