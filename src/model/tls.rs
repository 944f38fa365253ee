//! What a requirement says of the TLS session itself: version, ciphers, SNI.

use std::fmt;

use super::domain::Domain;

/// A minimum TLS version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.0 (RFC 2246)
    Tls10,
    /// TLS 1.1 (RFC 4346)
    Tls11,
    /// TLS 1.2 (RFC 5246)
    Tls12,
    /// TLS 1.3 (RFC 8446)
    Tls13,
}

impl TlsVersion {
    /// Every version, oldest first.
    pub const ALL: [TlsVersion; 4] =
        [TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13];

    /// The word of Postfix and OpenSSL (`SSL_get_version`): `TLSv1` is TLS 1.0.
    pub fn word(self) -> &'static str {
        match self {
            TlsVersion::Tls10 => "TLSv1",
            TlsVersion::Tls11 => "TLSv1.1",
            TlsVersion::Tls12 => "TLSv1.2",
            TlsVersion::Tls13 => "TLSv1.3",
        }
    }

    /// The version of that word; `TLSv1.0` is read too.
    pub fn from_word(word: &str) -> Option<TlsVersion> {
        let word = if word == "TLSv1.0" { "TLSv1" } else { word };
        TlsVersion::ALL.into_iter().find(|version| version.word() == word)
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A cipher grade of Postfix (postconf(5), `smtp_tls_mandatory_ciphers`). The lower ones are not
/// offered: they would weaken what main.cf gives by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CipherGrade {
    /// Postfix's default.
    Medium,
    /// 128 bits or more, without the oldest algorithms.
    High,
}

impl CipherGrade {
    /// Postfix's word.
    pub fn word(self) -> &'static str {
        match self {
            CipherGrade::Medium => "medium",
            CipherGrade::High => "high",
        }
    }
}

/// The name sent in the TLS SNI extension. It is no part of the strength.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// The name of the host that is connected to (Postfix: `servername=hostname`).
    HostName,
    /// The next-hop domain (Postfix: `servername=nexthop`).
    NextHop,
    /// A name from the configuration.
    Name(Domain),
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerName::HostName => f.write_str("hostname"),
            ServerName::NextHop => f.write_str("nexthop"),
            ServerName::Name(domain) => write!(f, "{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_postfix() {
        assert!(TlsVersion::ALL.is_sorted());
        assert_eq!(TlsVersion::ALL.map(TlsVersion::word), ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]);
        for version in TlsVersion::ALL {
            assert_eq!(version.to_string(), version.word());
            assert_eq!(TlsVersion::from_word(version.word()), Some(version));
        }
        assert_eq!(TlsVersion::from_word("TLSv1.0"), Some(TlsVersion::Tls10));
        for word in ["", "TLSv1.4", "tlsv1.2", "TLS1.2", "TLSv1.", "SSLv3"] {
            assert_eq!(TlsVersion::from_word(word), None, "{word:?}");
        }
        let grades = [CipherGrade::Medium, CipherGrade::High];
        assert!(grades.is_sorted());
        assert_eq!(grades.map(CipherGrade::word), ["medium", "high"]);
        let named = Domain::parse("Mail.Contoso.com").map(ServerName::Name);
        let names = [Ok(ServerName::HostName), Ok(ServerName::NextHop), named];
        assert_eq!(
            names.map(|name| name.map(|name| name.to_string())),
            ["hostname", "nexthop", "mail.contoso.com"].map(|text| Ok(text.to_owned()))
        );
    }
}
