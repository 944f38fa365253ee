//! One laboratory: networks, our machine with a mail server and DNS, the partner's servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::certificates::{Authority, Subject};
use crate::condition::wait_for;
use crate::daemon::Site;
use crate::machine::Machine;
use crate::network::{Network, partner_address};
use crate::partner::{Host, Mail, Partner};
use crate::postfix::Postfix;
use crate::resolver::{Resolver, Zone};
use crate::root::Release;

/// What a lab wants of the mail server that it is built around.
pub trait Mta {
    /// Starts it with `settings` of this lab beside those of every lab; it listens when this returns.
    fn start(machine: &Machine, network: &Network, settings: &[&str]) -> Self;

    /// Takes in one message for each recipient.
    fn submit<'r>(&self, machine: &Machine, network: &Network, recipients: impl IntoIterator<Item = &'r str>);

    /// Everything in the queue.
    fn queue(&self, machine: &Machine) -> Vec<Queued>;
}

/// The queue of messages that wait for another try.
pub const DEFERRED: &str = "deferred";

/// Where messages are of which the sender was told that they failed.
pub const BOUNCED: &str = "bounced";

/// A message in our queue, with one recipient.
#[derive(Clone, Debug)]
pub struct Queued {
    /// `incoming`, `active`, [`DEFERRED`], `hold`, [`BOUNCED`]
    pub queue: String,
    pub id: String,
    pub recipient: String,
    /// Why the last attempt failed; empty before the first.
    pub reason: String,
}

/// The fields end in this order: first what uses the others.
pub struct Lab<M = Postfix> {
    /// Where the daemon of this lab has its files.
    pub site: Site,
    pub mta: M,
    _resolver: Resolver,
    pub machine: Machine,
    pub partner: Partner,
    pub network: Network,
    _directory: TempDir,
}

/// What became of a message.
#[derive(Clone, Debug)]
pub enum Fate {
    Delivered(Mail),
    Deferred(Queued),
}

impl Fate {
    /// `T` over TLS, `P` in plaintext, `D` deferred, `B` bounced.
    pub fn letter(&self) -> &'static str {
        match self {
            Fate::Deferred(queued) if queued.queue == BOUNCED => "B",
            Fate::Delivered(Mail { tls: Some(_), .. }) => "T",
            Fate::Delivered(Mail { tls: None, .. }) => "P",
            Fate::Deferred(_) => "D",
        }
    }

    /// Whether it is what `expected` says: `T mx.x.example:25`, `P mx.x.example:25`, or `D` or `B`
    /// and a part of the reason.
    pub fn is(&self, expected: &str) -> bool {
        let Some(rest) = expected.strip_prefix(self.letter()).map(str::trim_start) else {
            return false;
        };
        match self {
            Fate::Delivered(mail) => rest == format!("{}:{}", mail.host, mail.port),
            Fate::Deferred(queued) => queued.reason.contains(rest),
        }
    }

    /// The evidence in words.
    pub fn note(&self) -> String {
        match self {
            Fate::Delivered(mail) => format!("at {}:{} {:?}", mail.host, mail.port, mail.tls),
            Fate::Deferred(queued) => format!("{}: {}", queued.id, queued.reason),
        }
    }
}

impl<M: Mta> Lab<M> {
    /// `authority` is the CA that our mail server trusts, in both directions. `zone` has the MX
    /// records; the addresses of `hosts` are added. `settings` go to the mail server's configuration.
    pub fn start(
        release: Release,
        authority: &Authority,
        hosts: &[Host],
        mut zone: Zone,
        settings: &[&str],
    ) -> Lab<M> {
        let directory = tempfile::Builder::new().prefix("connectord-lab-").tempdir().unwrap();
        // The mail server opens what the daemon publishes, as a user of its own.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let network = Network::new();
        let partner = Partner::start(&network.partner, hosts);
        for host in hosts {
            zone.address(&host.name, partner_address(host.number));
        }
        let machine = Machine::boot(release, directory.path(), &network.ours);
        let ours = authority.issue(Subject::server(&["mail.ours.example"]));
        let tls = directory.path().join("etc/tls");
        fs::create_dir(&tls).unwrap();
        fs::write(tls.join("ca.pem"), authority.pem()).unwrap();
        fs::write(tls.join("ours.pem"), ours.key_pem() + &ours.pem()).unwrap();
        let resolver = Resolver::start(&machine, &network.ours, &zone);
        let mta = M::start(&machine, &network, settings);
        Lab {
            site: Site::new(directory.path(), release),
            mta,
            _resolver: resolver,
            machine,
            partner,
            network,
            _directory: directory,
        }
    }

    /// Sends one message to each of `recipients`, all at once, and waits until each is in a
    /// mailbox of the partner or has failed for now. No recipient may have got mail before.
    pub fn send(&self, recipients: &BTreeSet<String>) -> BTreeMap<String, Fate> {
        self.mta.submit(&self.machine, &self.network, recipients.iter().map(String::as_str));
        self.fates(recipients)
    }

    /// Waits for the fate of the messages to `recipients`.
    pub fn fates(&self, recipients: &BTreeSet<String>) -> BTreeMap<String, Fate> {
        fates_of(recipients, &self.partner, || self.mta.queue(&self.machine))
    }

    /// Waits until the message to each recipient has met the fate beside it.
    ///
    /// # Panics
    /// At once when one was delivered otherwise, for that stays so.
    pub fn settled(&self, expected: &BTreeMap<String, String>) {
        let recipients = expected.keys().cloned().collect();
        wait_for("the expected fates", || {
            let fates = self.fates(&recipients);
            let wrong = differences(expected, &fates);
            if wrong.is_empty() {
                return Ok(());
            }
            let delivered = |recipient: &String| matches!(fates[recipient], Fate::Delivered(_));
            assert!(!wrong.keys().any(delivered), "{}", lines(&wrong));
            Err(lines(&wrong))
        });
    }

    /// Sends one message to each recipient; each must meet the fate beside it at the first try.
    pub fn send_expecting(&self, expected: &BTreeMap<String, String>) {
        self.mta.submit(&self.machine, &self.network, expected.keys().map(String::as_str));
        self.met(expected);
    }

    /// What was tried has met the fate beside it.
    pub fn met(&self, expected: &BTreeMap<String, String>) {
        as_expected(expected, &self.fates(&expected.keys().cloned().collect()));
    }
}

/// Each message has met the fate that was expected.
pub fn as_expected(expected: &BTreeMap<String, String>, seen: &BTreeMap<String, Fate>) {
    let wrong = differences(expected, seen);
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

/// Waits until each message is in a mailbox of the partner or has failed for now, as `queue` says.
pub fn fates_of(
    recipients: &BTreeSet<String>,
    partner: &Partner,
    queue: impl Fn() -> Vec<Queued>,
) -> BTreeMap<String, Fate> {
    wait_for("every message in a mailbox or deferred", || {
        let queue = queue();
        let mut fates = BTreeMap::new();
        for mail in partner.mail() {
            for recipient in &mail.recipients {
                fates.insert(recipient.clone(), Fate::Delivered(mail.clone()));
            }
        }
        let mut busy = Vec::new();
        for queued in queue {
            if [DEFERRED, BOUNCED].contains(&queued.queue.as_str()) && !queued.reason.is_empty() {
                fates.insert(queued.recipient.clone(), Fate::Deferred(queued));
            } else if !fates.contains_key(&queued.recipient) {
                busy.push(queued.recipient);
            }
        }
        let missing: Vec<&String> = recipients.iter().filter(|name| !fates.contains_key(*name)).collect();
        if busy.is_empty() && missing.is_empty() {
            fates.retain(|recipient, _| recipients.contains(recipient));
            Ok(fates)
        } else {
            Err(format!("under way {busy:?}, missing {missing:?}"))
        }
    })
}

/// Recipients whose mail met another fate, and what it was.
fn differences(
    expected: &BTreeMap<String, String>,
    fates: &BTreeMap<String, Fate>,
) -> BTreeMap<String, String> {
    expected
        .iter()
        .filter(|(recipient, expected)| !fates[*recipient].is(expected))
        .map(|(recipient, expected)| {
            let fate = &fates[recipient];
            let text = format!("{recipient}: expected {expected}, saw {} {}", fate.letter(), fate.note());
            (recipient.clone(), text)
        })
        .collect()
}

fn lines(differences: &BTreeMap<String, String>) -> String {
    differences.values().map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// Recipients and their expected fates.
pub fn fates<const N: usize>(table: [(&str, &str); N]) -> BTreeMap<String, String> {
    table.map(|(recipient, fate)| (recipient.to_owned(), fate.to_owned())).into()
}
