//! Whether mail that arrived is weaker than its connector demands. Pure.
//!
//! What is asked is not what the daemon answered: only what the connector says in the file, what the server was, and
//! how the mail came. Where mail waits, nothing is weaker.

use super::server::Server;
use crate::model::requirement::TlsVersion;
use crate::model::{Level, Requirement};

/// How mail came to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Without TLS.
    Plain,
    /// Over TLS of this version; `None`: one without a name here, older than all.
    Tls(Option<TlsVersion>),
}

/// Why mail must not have come so, in words; `None` where it may.
pub fn weaker(requirement: &Requirement, server: Server, came: Came) -> Option<String> {
    let level = requirement.level();
    let version = match came {
        // Every domain of a proof has TLSA records, so that `dane` is not `may` there (RFC 7672 section 2.2).
        Came::Plain if level != Level::May => {
            return Some(format!("in plaintext, where {level} is demanded"));
        }
        Came::Plain => return None,
        Came::Tls(version) => version,
    };
    if let Some(least) = requirement.min_version()
        && version.is_none_or(|version| version < least)
    {
        return Some(format!("over a version of TLS before {least}"));
    }
    (!accepts(level, server))
        .then(|| format!("at a server that {}, where {level} is demanded", server.about()))
}

/// Whether a level takes what the server shows of itself.
fn accepts(level: Level, server: Server) -> bool {
    match server {
        // Nobody but the partner has the key that is pinned.
        Server::Right | Server::OldTls => level != Level::Fingerprint,
        Server::NoStarttls
        | Server::Stripped
        | Server::Refused
        | Server::Broken
        | Server::SelfSigned
        | Server::UnknownAuthority
        | Server::Expired
        | Server::WrongName => matches!(level, Level::May | Level::Encrypt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::requirement::Parts;
    use crate::model::sample::requirement;

    fn lines(requirement: &Requirement, came: Came) -> Vec<&'static str> {
        let weak = |server: &Server| weaker(requirement, *server, came).is_some();
        Server::ALL.into_iter().filter(weak).map(Server::id).collect()
    }

    const SHOWN: [&str; 4] = ["self-signed", "unknown-authority", "expired", "wrong-name"];

    #[test]
    fn in_plaintext_only_what_may_come_so() {
        for text in ["encrypt", "verify", "secure a.example", "dane", "dane-only"] {
            assert_eq!(lines(&requirement(text), Came::Plain).len(), Server::ALL.len(), "{text}");
        }
        assert_eq!(lines(&requirement("may"), Came::Plain), Vec::<&str>::new());
    }

    #[test]
    fn over_tls_a_level_says_whom_it_takes() {
        let came = Came::Tls(Some(TlsVersion::Tls13));
        for text in ["may", "encrypt"] {
            assert_eq!(lines(&requirement(text), came), Vec::<&str>::new(), "{text}");
        }
        for text in ["verify", "secure a.example", "dane", "dane-only"] {
            let weak = lines(&requirement(text), came);
            assert!(SHOWN.iter().all(|server| weak.contains(server)), "{text}: {weak:?}");
            assert!(!weak.contains(&"right") && !weak.contains(&"old-tls"), "{text}: {weak:?}");
        }
        let pin = crate::model::certificate::Fingerprint::of(b"key");
        let pinned = Requirement::new(Parts { pins: [pin].into(), ..Parts::of_level(Level::Fingerprint) });
        assert_eq!(pinned.map(|pinned| lines(&pinned, came).len()), Ok(Server::ALL.len()));
    }

    #[test]
    fn a_minimum_version_is_kept() {
        let least = Parts { min_version: Some(TlsVersion::Tls12), ..Parts::of_level(Level::Encrypt) };
        let least = Requirement::new(least).expect("it fits together");
        let weak = |version| weaker(&least, Server::OldTls, Came::Tls(version)).is_some();
        assert!(weak(None) && weak(Some(TlsVersion::Tls11)));
        assert!(!weak(Some(TlsVersion::Tls12)) && !weak(Some(TlsVersion::Tls13)));
    }
}
