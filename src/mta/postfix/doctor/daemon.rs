//! The daemon itself: whether Postfix reaches it where it asks, and whether it answers by the files that are examined.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::kinds::{DAEMON_OTHER, DAEMON_UNREACHED, DAEMON_UNSEEN, UNIT_ORDER};
use super::routing::{MAP as TRANSPORT_MAP, TRANSPORT};
use super::tables::{MAP as TLS_MAP, NAME as POLICIES, path_of};
use super::ways::Ways;
use super::written::command;
use super::{Patient, asked, inbound, typed};
use crate::mta::finding::{Finding, Kind};
use crate::mta::postfix::order::Order;
use crate::mta::postfix::reach::{Dialect, Unreached};
use crate::mta::postfix::restrictions::PolicyService;
use crate::mta::postfix::settings::{Service, tables};
use crate::protocol::escape::printable;

/// What the running daemon says of itself.
pub struct Serving {
    /// The SHA-256 of the configuration that it answers by, or why that is not known.
    pub sha256: Result<String, String>,
    /// The command that starts it, where it has a unit and does not run.
    pub start: Vec<String>,
    /// The words of the command that looks at all of it, where we are somebody who may not.
    pub as_root: Vec<String>,
}

/// Enough of a value to know it again.
const WORDS: usize = 200;

/// What is wrong with the daemon for those who ask it.
pub(super) fn daemon(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    let sockets = sockets(patient, ways);
    let mut findings: Vec<Finding> = sockets
        .iter()
        .filter_map(|(path, dialect)| {
            let unreached = patient.sockets.reach(path, *dialect).err()?;
            let (kind, mend) = match &unreached {
                Unreached::Unknown(_) => (&DAEMON_UNSEEN, patient.as_root()),
                Unreached::Missing(_) | Unreached::Refused => {
                    (&DAEMON_UNREACHED, patient.serving.start.clone())
                }
                Unreached::Closed(closed) => (&DAEMON_UNREACHED, patient.sockets.let_in(path, closed)),
                Unreached::Other(_) | Unreached::Silent => (&DAEMON_UNREACHED, Vec::new()),
            };
            let mut message = in_words(&unreached);
            if matches!(unreached, Unreached::Closed(_)) && !mend.is_empty() {
                message.push_str("; the commands let it in until the socket is made anew");
            }
            told(patient, kind, Some(*dialect), path.display().to_string(), &message, mend)
        })
        .collect();
    let is_reached = findings.iter().all(|finding| finding.kind != &DAEMON_UNREACHED);
    if is_reached && !sockets.is_empty() {
        let place = "the running daemon".to_owned();
        let finding = match &patient.serving.sha256 {
            Ok(_) if patient.is_read() => None,
            Ok(sha256) => {
                let message = format!(
                    "it answers by another configuration than that of the files: {}",
                    printable(sha256, WORDS)
                );
                told(patient, &DAEMON_OTHER, None, place, &message, vec![patient.written.reload()])
            }
            Err(reason) => {
                let message =
                    format!("by which configuration it answers is not known: {}", printable(reason, WORDS));
                told(patient, &DAEMON_UNSEEN, None, place, &message, patient.as_root())
            }
        };
        findings.extend(finding);
    }
    // Which unit starts another instance is not known from here.
    if !sockets.is_empty() && patient.config_directory.is_none() {
        findings.extend(order(patient));
    }
    findings
}

impl Patient<'_> {
    /// Whether the daemon is known to answer by the files as they are.
    pub(super) fn is_read(&self) -> bool {
        self.serving.sha256.as_ref().is_ok_and(|sha256| sha256 == self.snapshot.sha256())
    }

    fn as_root(&self) -> Vec<String> {
        let words = &self.serving.as_root;
        (!words.is_empty()).then(|| command(words.iter().map(String::as_str))).into_iter().collect()
    }
}

/// What is wrong with the order in which both are started.
fn order(patient: &Patient<'_>) -> Option<Finding> {
    const WAITS: &str = "systemd starts it without waiting for connectord.service: all mail that connectord is asked about \
                         waits until that is there";
    let (unit, message, mend) = match patient.order {
        Order::Fine => return None,
        Order::Loose(unit) => (unit, WAITS.to_owned(), ordered(unit)),
        Order::Opposed(unit, name) => {
            let name = printable(name, WORDS);
            let message = format!(
                "{WAITS}; connectord.service is ordered after {name}: take that out first, for with `Before={unit}` beside it \
                 systemd leaves one of them out"
            );
            (unit, message, Vec::new())
        }
    };
    told(patient, &UNIT_ORDER, None, format!("systemd: {unit}"), &message, mend)
}

/// The commands that have the daemon started first. They add to a file, whatever is in it.
fn ordered(unit: &str) -> Vec<String> {
    const DIRECTORY: &str = "/etc/systemd/system/connectord.service.d";
    vec![
        format!("mkdir -p {DIRECTORY}"),
        format!("printf '\\n[Unit]\\nBefore={unit}\\n' >> {DIRECTORY}/postfix.conf"),
        "systemctl daemon-reload".to_owned(),
    ]
}

/// The sockets of the daemon that somebody asks at a path that leads there.
fn sockets<'p>(patient: &Patient<'p>, ways: &Ways) -> BTreeSet<(PathBuf, Dialect)> {
    let mut sockets = BTreeSet::new();
    let mut ask = |service: &'p Service, path: &str, dialect: Dialect| {
        let ours = match dialect {
            Dialect::Socketmap => patient.socketmap,
            Dialect::Policy => patient.policy,
        };
        if patient.reaches(service, path, ours) {
            sockets.insert((patient.seen(path, patient.settings.is_chrooted(service)), dialect));
        }
    };
    let clients = patient.clients(ways).map(|service| (service, POLICIES, TLS_MAP));
    let rewriters =
        patient.settings.running("trivial-rewrite").map(|service| (service, TRANSPORT, TRANSPORT_MAP));
    for (service, name, map) in clients.chain(rewriters) {
        for table in tables(patient.settings.of(service, name)) {
            // What is asked through proxymap(8) is asked from where that is.
            let proxymap =
                patient.settings.running("proxymap").next().filter(|_| table.starts_with("proxy:"));
            if let Some(path) = path_of(table, map) {
                ask(proxymap.unwrap_or(service), path, Dialect::Socketmap);
            }
        }
    }
    for service in inbound::doors(patient) {
        for name in asked::LISTS {
            for restriction in asked::in_full(patient, service, name) {
                if let Some(ours) = PolicyService::of(&restriction) {
                    ask(service, ours.path, Dialect::Policy);
                }
            }
        }
    }
    sockets
}

fn in_words(unreached: &Unreached) -> String {
    let shown = |path: &PathBuf| printable(&path.display().to_string(), WORDS);
    match unreached {
        Unreached::Missing(path) => format!(
            "{} is not there: does connectord run, with a [[listen]] for it? All mail that it is asked about waits",
            shown(path)
        ),
        Unreached::Closed(path) => format!(
            "the user of Postfix may not use {}, and all mail waits: another group helps only if it is that user's first; \
             write `group` and `mode` into [[listen]], or SocketGroup= and SocketMode= into the unit",
            shown(path)
        ),
        Unreached::Other(path) => format!("{} is no socket, and all mail waits", shown(path)),
        Unreached::Refused => "nobody listens there, and all mail waits: does connectord run?".to_owned(),
        Unreached::Silent => {
            "who listens there does not answer as connectord does, and all mail waits".to_owned()
        }
        Unreached::Unknown(reason) => format!("it could not be looked at: {}", printable(reason, WORDS)),
    }
}

/// A finding about the connectors of the direction that is asked about, if it is one and has some: Postfix asks, and its
/// mail waits, whether it has or not.
fn told(
    patient: &Patient<'_>,
    kind: &'static Kind,
    dialect: Option<Dialect>,
    place: String,
    message: &str,
    mend: Vec<String>,
) -> Option<Finding> {
    let [mut outbound, mut inbound] = [Vec::new(), Vec::new()];
    outbound.extend(patient.outbound_connectors().map(|connector| connector.name.to_string()));
    inbound.extend(patient.inbound_connectors().map(|connector| connector.name.to_string()));
    let connectors = match dialect {
        Some(Dialect::Socketmap) if !outbound.is_empty() => outbound,
        Some(Dialect::Policy) if !inbound.is_empty() => inbound,
        _ => [outbound, inbound].concat(),
    };
    let is_about = !connectors.is_empty();
    is_about.then(|| Finding { kind, message: message.to_owned(), connectors, place, mend: typed(mend) })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::sample::{Reached, examined};
    use super::*;
    use crate::model::sample::{agreements, connectors};
    use crate::mta::postfix::reach::Sockets;

    /// Sockets that we may not look at.
    struct Barred;

    impl Sockets for Barred {
        fn reach(&self, _: &Path, _: Dialect) -> Result<(), Unreached> {
            Err(Unreached::Unknown("only root can".to_owned()))
        }

        fn let_in(&self, _: &Path, _: &Path) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn who_may_not_look_is_told_the_command_of_who_may() {
        let all = agreements(connectors(&["encrypt of a.example"]), Vec::new());
        let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        let serving = |as_root| Serving { sha256: Err("no".to_owned()), start: Vec::new(), as_root };
        let found = |sockets: &dyn Sockets, as_root| -> Vec<Vec<String>> {
            let found = examined("relayhost =", "", &all, sockets, &serving(as_root)).into_iter();
            let mend = found.map(|finding| {
                assert_eq!(finding.kind.id, "postfix-daemon-unseen");
                finding.mend
            });
            mend.collect()
        };
        let as_root = || words("connectord|doctor|postfix|--config|/etc/it's $x.toml|--config-dir|/a b");
        let command = r"connectord doctor postfix --config '/etc/it'\''s $x.toml' --config-dir '/a b'";
        // Each of what was not seen: sockets, and what the daemon says.
        assert_eq!(found(&Reached, as_root()), [[command]]);
        let all = found(&Barred, as_root());
        assert!(all.len() > 1 && all.iter().all(|mend| *mend == [command]), "{all:?}");
        // There is none for root.
        assert!(found(&Barred, Vec::new()).concat().is_empty());
        // Nor one that cannot be typed.
        assert!(found(&Reached, words("connectord|--config|/a\nb")).concat().is_empty());
    }
}
