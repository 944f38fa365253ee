//! Whether mail that arrived is weaker than its connector demands. Pure.
//!
//! What is asked is not what the daemon answered: only what the connector says in the file, what the server showed, and
//! how the mail came. Where mail waits, nothing is weaker.

use super::server::Server;
use crate::model::names::Names;
use crate::model::requirement::{Anchors, TlsVersion};
use crate::model::{Level, Pattern, Requirement};

/// How mail came to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Without TLS.
    Plain,
    /// Over TLS of this version; `None`: one without a name here, older than all.
    Tls(Option<TlsVersion>),
}

/// Why mail to a domain must not have come so, in words; `None` where it may. `host` is the name from the MX record or the
/// route.
pub fn weaker(
    requirement: &Requirement,
    domain: &str,
    host: &str,
    server: Server,
    came: Came,
) -> Option<String> {
    let level = requirement.level();
    // Without usable TLSA records `dane` is `may` (RFC 7672 section 2.2).
    let is_open = level == Level::May || level == Level::Dane && server == Server::NoTlsa;
    let version = match came {
        Came::Plain if is_open => return None,
        Came::Plain => return Some(format!("in plaintext, where {level} is demanded")),
        Came::Tls(version) => version,
    };
    if let Some(least) = requirement.min_version()
        && version.is_none_or(|version| version < least)
    {
        return Some(format!("over a version of TLS before {least}"));
    }
    let accepted = is_open || accepts(requirement, domain, host, server);
    (!accepted).then(|| format!("though the server {}, and {level} is demanded", server.about()))
}

/// Whether a demand takes what the server shows of itself.
fn accepts(requirement: &Requirement, domain: &str, host: &str, server: Server) -> bool {
    match requirement.level() {
        Level::May | Level::Encrypt => true,
        // Nobody but the partner has the key that is pinned.
        Level::Fingerprint => false,
        Level::Verify | Level::Secure => match server {
            Server::Right | Server::NoTlsa | Server::Tls12 | Server::OldTls => true,
            Server::SystemAuthority => !matches!(requirement.anchors(), Anchors::File(_)),
            Server::OwnName => takes_own_name(requirement.names(), domain, host),
            // The name of the host is all that is compared, and the records gave it.
            Server::Misled => *requirement.names() == Names::MxHost,
            Server::NoStarttls
            | Server::Stripped
            | Server::Refused
            | Server::Broken
            | Server::SelfSigned
            | Server::UnknownAuthority
            | Server::Expired
            | Server::WrongName => false,
        },
        // Only a right server has the key of the TLSA records.
        level @ (Level::Dane | Level::DaneOnly) => match server {
            Server::Right | Server::Tls12 | Server::OldTls => true,
            Server::NoTlsa => level == Level::Dane,
            Server::NoStarttls
            | Server::Stripped
            | Server::Refused
            | Server::Broken
            | Server::SelfSigned
            | Server::UnknownAuthority
            | Server::SystemAuthority
            | Server::Expired
            | Server::WrongName
            | Server::OwnName
            | Server::Misled => false,
        },
    }
}

/// Whether one of the names that a partner has without any agreement is an agreed one.
fn takes_own_name(names: &Names, domain: &str, host: &str) -> bool {
    match names {
        Names::Any | Names::MxHost | Names::Domain => true,
        Names::Set(patterns) => {
            let covers = |pattern: &Pattern| pattern.covers(domain) || pattern.covers(host);
            patterns.iter().any(covers)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::certificate::Fingerprint;
    use crate::model::requirement::Parts;
    use crate::model::sample::requirement;

    fn weak(requirement: &Requirement, came: Came) -> Vec<&'static str> {
        let is_weak =
            |server: &Server| weaker(requirement, "a.example", "mx.a.example", *server, came).is_some();
        Server::ALL.into_iter().filter(is_weak).map(Server::id).collect()
    }

    #[test]
    fn in_plaintext_only_what_may_come_so() {
        for text in ["encrypt", "verify", "secure a.example", "dane-only"] {
            assert_eq!(weak(&requirement(text), Came::Plain).len(), Server::ALL.len(), "{text}");
        }
        assert_eq!(weak(&requirement("dane"), Came::Plain).len(), Server::ALL.len() - 1);
        assert_eq!(weak(&requirement("may"), Came::Plain), Vec::<&str>::new());
    }

    #[test]
    fn over_tls_a_demand_says_whom_it_takes() {
        let came = Came::Tls(Some(TlsVersion::Tls13));
        let not_tls = ["no-starttls", "stripped", "refused", "broken"];
        let nobodys = ["self-signed", "unknown-authority", "expired", "wrong-name"];
        for (text, others) in [
            ("verify", &[][..]),
            ("secure domain", &["misled"]),
            ("secure *.a.example", &["misled"]),
            ("secure filter.example", &["own-name", "misled"]),
            ("dane", &["system-authority", "own-name", "misled"]),
            ("dane-only", &["system-authority", "own-name", "misled", "no-tlsa"]),
        ] {
            let mut expected: Vec<&str> = not_tls.iter().chain(&nobodys).chain(others).copied().collect();
            let mut found = weak(&requirement(text), came);
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
        for text in ["may", "encrypt"] {
            assert_eq!(weak(&requirement(text), came), Vec::<&str>::new(), "{text}");
        }
        let pins = [Fingerprint::of(b"key")].into();
        let pinned = Requirement::new(Parts { pins, ..Parts::of_level(Level::Fingerprint) });
        assert_eq!(pinned.map(|pinned| weak(&pinned, came).len()), Ok(Server::ALL.len()));
    }

    #[test]
    fn a_minimum_version_is_kept() {
        let least = Parts { min_version: Some(TlsVersion::Tls13), ..Parts::of_level(Level::Encrypt) };
        let least = Requirement::new(least).expect("it fits together");
        let weak = |version| weaker(&least, "a", "mx.a", Server::Tls12, Came::Tls(version)).is_some();
        assert!(weak(None) && weak(Some(TlsVersion::Tls11)) && weak(Some(TlsVersion::Tls12)));
        assert!(!weak(Some(TlsVersion::Tls13)));
    }
}
