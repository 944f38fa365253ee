//! What is tried, and with what: from the configuration, the MTA's settings, and this machine.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::mta::Mta;
use super::subject::{Subject, note_lent};
use super::{Error, network};
use crate::config::Listen;
use crate::model::requirement::Anchors;
use crate::model::{Agreements, Domain, Outbound, Pattern};
use crate::validate::route::port;

/// Mails of one round. Each is a process, and there are as many rounds as servers.
const MAX_MAILS: usize = 10_000;

/// Domains of ours that mail is sent from.
const MAX_SENDERS: usize = 4;

/// Ports that mail servers are at (RFC 5321, RFC 6409).
const PORTS: [u16; 2] = [25, 587];

/// What is tried, and with what.
pub struct Plan {
    /// The MTA.
    pub mta: Box<dyn Mta>,
    /// The connectors.
    pub subjects: Vec<Subject>,
    /// Connectors' own files of authorities.
    pub anchors: BTreeSet<PathBuf>,
    /// The program of the daemon.
    pub program: PathBuf,
    /// Its configuration, absolute.
    pub config: PathBuf,
    /// The directory of its sockets whose path is not absolute; itself absolute.
    pub runtime: PathBuf,
    /// The sockets that an MTA asks at: relative ones are in the runtime directory.
    pub listen: Vec<PathBuf>,
    /// Every directory of a socket of the daemon.
    pub sockets: BTreeSet<PathBuf>,
    /// The domains that mail is sent from; never empty.
    pub senders: Vec<String>,
    /// The addresses of this machine.
    pub own: BTreeSet<Ipv4Addr>,
    /// The ports that servers listen at.
    pub ports: BTreeSet<u16>,
}

/// What a plan is made of.
pub struct Wanted<'w> {
    /// Every connector.
    pub agreements: &'w Agreements,
    /// Those that are tried.
    pub chosen: &'w [&'w Outbound],
    /// Domains that are tried in place of the first ones.
    pub domains: &'w [Domain],
    /// The sockets of the configuration.
    pub listen: &'w [Listen],
    /// The directory of those that are relative.
    pub runtime: &'w Path,
    /// The configuration file, absolute.
    pub config: &'w Path,
    /// The program of the daemon.
    pub program: &'w Path,
}

/// A mail of a round.
pub struct Mail<'p> {
    /// The number of its connector.
    pub subject: usize,
    /// The domain of its recipient.
    pub domain: &'p str,
    /// Its envelope sender; empty: the null sender.
    pub sender: String,
    /// Whether it has the header `TLS-Required: no`.
    pub header: bool,
}

impl Plan {
    /// Puts it together.
    ///
    /// # Errors
    /// The addresses of this machine cannot be read; or it is more than can be tried at once.
    pub fn of(wanted: &Wanted<'_>, mta: Box<dyn Mta>) -> Result<Plan, Error> {
        let Wanted { agreements, chosen, domains, listen, .. } = wanted;
        let mut subjects: Vec<Subject> =
            chosen.iter().map(|connector| Subject::of(connector, agreements, domains)).collect();
        note_lent(&mut subjects);
        // Where no [[listen]] says it, the units say where the sockets are.
        let asked = || listen.iter().filter(|listen| listen.protocol == mta.asks());
        let is_written = asked().any(|listen| listen.is_written);
        let runtime =
            if is_written { wanted.runtime.to_owned() } else { mta.directory_of_sockets(wanted.runtime) };
        let directory = |listen: &Listen| Some(runtime.join(listen.path()?).parent()?.to_owned());
        let ports = subjects.iter().flat_map(|subject| &subject.ports);
        let anchors =
            agreements.outbound.iter().filter_map(|connector| match connector.requirement.anchors() {
                Anchors::File(file) => Some(file.path.clone()),
                Anchors::Any | Anchors::System => None,
            });
        let plan = Plan {
            sockets: listen.iter().filter_map(directory).chain([runtime.clone()]).collect(),
            listen: asked().filter_map(|listen| listen.path().map(Path::to_owned)).collect(),
            ports: ports
                .filter_map(|port| port::number(Some(port)))
                .chain(PORTS)
                .chain(mta.ports())
                .collect(),
            senders: senders(agreements, mta.host_name()),
            own: network::own_addresses()
                .map_err(|error| Error::system("read the addresses of this machine", error))?,
            anchors: anchors.collect(),
            program: wanted.program.to_owned(),
            config: wanted.config.to_owned(),
            runtime,
            subjects,
            mta,
        };
        match plan.mails().len() {
            count if count > MAX_MAILS => Err(Error::Large { count }),
            _ => Ok(plan),
        }
    }

    /// The mails of each round: to every domain as it is and with the header, and to the first one of each connector as a
    /// bounce and from our other domains.
    pub fn mails(&self) -> Vec<Mail<'_>> {
        let senders: Vec<String> =
            self.senders.iter().map(|domain| format!("connectord-prove@{domain}")).collect();
        let mut mails = Vec::new();
        for (subject, connector) in self.subjects.iter().enumerate() {
            let mut add = |domain, sender: Option<&String>, header| {
                let sender = sender.cloned().unwrap_or_default();
                mails.push(Mail { subject, domain, sender, header });
            };
            for domain in &connector.domains {
                add(domain, senders.first(), false);
                add(domain, senders.first(), true);
            }
            if let Some(domain) = connector.domains.first() {
                add(domain, None, false);
                senders.iter().skip(1).for_each(|sender| add(domain, Some(sender), false));
            }
        }
        mails
    }

    /// The sockets that an MTA asks at.
    pub fn asked(&self) -> impl Iterator<Item = PathBuf> {
        self.listen.iter().map(|path| self.runtime.join(path))
    }
}

/// The domains that our mail comes from.
fn senders(agreements: &Agreements, host_name: &str) -> Vec<String> {
    let own = agreements.mta.own_domains.iter().filter_map(|pattern| match pattern {
        Pattern::Exact(domain) | Pattern::Tree(domain) => Some(domain.to_string()),
        Pattern::Below(_) | Pattern::Any => None,
    });
    let mut senders: Vec<String> = own.take(MAX_SENDERS).collect();
    if senders.is_empty() {
        senders.push(host_name.to_owned());
    }
    senders
}
