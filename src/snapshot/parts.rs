//! How each part of what an outbound connector demands is told to each MTA: one table.
//!
//! A part that an MTA has no word for is not left out: Exim is told to keep the mail, and `check`
//! names the connector. Postfix has a word for each, because configuration version 1 was made of
//! its words. The manual of contrib/exim shows the same table, and a test walks it.

use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::requirement::{Anchors, Requirement};

/// A part of an outbound connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `tls`
    Level,
    /// `match`
    Names,
    /// `ca_file`
    Anchors,
    /// `certificates` and `fingerprints`
    Pins,
    /// `protocols`
    MinVersion,
    /// `ciphers`
    Ciphers,
    /// `servername`
    ServerName,
    /// `route`
    Route,
}

/// What carries a part to an MTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The first word of the answer of the map `tls`.
    TlsLevel,
    /// An attribute behind it.
    TlsAttribute(&'static str),
    /// The answer of the map `transport`.
    Transport,
    /// A key of the answer to `out`.
    Key(&'static str),
    /// The answer to `cert`, during the handshake.
    Certificate,
    /// Nothing: the mail is deferred.
    Nothing,
}

impl Part {
    /// Every part, in the order of an answer.
    pub const ALL: [Part; 8] = [
        Part::Level,
        Part::Names,
        Part::Anchors,
        Part::Pins,
        Part::MinVersion,
        Part::Ciphers,
        Part::ServerName,
        Part::Route,
    ];

    /// Whether a connector demands more in this part than its level does by itself.
    pub fn is_demanded(self, requirement: &Requirement, route: &Route) -> bool {
        match self {
            Part::Level => true,
            Part::Names => matches!(requirement.names(), Names::Domain | Names::Set(_)),
            Part::Anchors => matches!(requirement.anchors(), Anchors::File(_)),
            Part::Pins => requirement.pins().is_some(),
            Part::MinVersion => requirement.min_version().is_some(),
            Part::Ciphers => requirement.ciphers().is_some(),
            Part::ServerName => requirement.servername().is_some(),
            Part::Route => *route != Route::Mx,
        }
    }

    /// The configuration keys that it is written with.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Part::Level => &["tls"],
            Part::Names => &["match"],
            Part::Anchors => &["ca_file"],
            Part::Pins => &["certificates", "fingerprints"],
            Part::MinVersion => &["protocols"],
            Part::Ciphers => &["ciphers"],
            Part::ServerName => &["servername"],
            Part::Route => &["route"],
        }
    }

    /// The first of them.
    pub fn key(self) -> &'static str {
        self.keys().first().copied().unwrap_or_default()
    }

    /// What tells it to Postfix.
    pub fn to_postfix(self) -> Carrier {
        match self {
            Part::Level => Carrier::TlsLevel,
            Part::Names | Part::Pins => Carrier::TlsAttribute("match"),
            Part::Anchors => Carrier::TlsAttribute("tafile"),
            Part::MinVersion => Carrier::TlsAttribute("protocols"),
            Part::Ciphers => Carrier::TlsAttribute("ciphers"),
            Part::ServerName => Carrier::TlsAttribute("servername"),
            Part::Route => Carrier::Transport,
        }
    }

    /// What tells it to Exim.
    pub fn to_exim(self) -> Carrier {
        match self {
            Part::Level => Carrier::Key("tls"),
            Part::Names | Part::Pins => Carrier::Certificate,
            Part::Anchors => Carrier::Key("ca"),
            Part::MinVersion => Carrier::Key("min"),
            Part::Ciphers => Carrier::Nothing,
            Part::ServerName => Carrier::Key("sni"),
            Part::Route => Carrier::Key("hosts"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::connectors;

    #[test]
    fn parts_are_told_by_what_the_table_says() {
        use Carrier::{Certificate, Key, Nothing, TlsAttribute, TlsLevel, Transport};
        let table: [(Part, &[&str], Carrier, Carrier); 8] = [
            (Part::Level, &["tls"], TlsLevel, Key("tls")),
            (Part::Names, &["match"], TlsAttribute("match"), Certificate),
            (Part::Anchors, &["ca_file"], TlsAttribute("tafile"), Key("ca")),
            (Part::Pins, &["certificates", "fingerprints"], TlsAttribute("match"), Certificate),
            (Part::MinVersion, &["protocols"], TlsAttribute("protocols"), Key("min")),
            (Part::Ciphers, &["ciphers"], TlsAttribute("ciphers"), Nothing),
            (Part::ServerName, &["servername"], TlsAttribute("servername"), Key("sni")),
            (Part::Route, &["route"], Transport, Key("hosts")),
        ];
        assert_eq!(table.map(|(part, ..)| part), Part::ALL);
        for (part, keys, postfix, exim) in table {
            assert_eq!((part.keys(), Some(part.key())), (keys, keys.first().copied()), "{part:?}");
            assert_eq!((part.to_postfix(), part.to_exim()), (postfix, exim), "{part:?}");
        }
    }

    #[test]
    fn a_level_by_itself_demands_nothing_else() {
        for (text, expected) in [
            ("encrypt of a.x", vec![Part::Level]),
            ("verify of a.x", vec![Part::Level]),
            ("verify b.c of a.x", vec![Part::Level, Part::Names]),
            ("secure domain of a.x", vec![Part::Level, Part::Names]),
            ("encrypt of a.x, through [h.q]", vec![Part::Level, Part::Route]),
        ] {
            for connector in connectors(&[text]) {
                let demanded = |part: &Part| part.is_demanded(&connector.requirement, &connector.route);
                assert_eq!(Part::ALL.into_iter().filter(demanded).collect::<Vec<_>>(), expected, "{text}");
            }
        }
    }
}
