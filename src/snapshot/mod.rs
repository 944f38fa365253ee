//! One generation of the configuration, compiled for lookup and never changed again.
//!
//! [`compile`] turns accepted agreements into a [`Snapshot`], or says which of them contradict
//! each other: one domain in two connectors, a connector weaker than the wider one it hides,
//! connectors that meet at one smart host and cannot be answered as one. What is in a snapshot
//! has passed all of that, so that an answer only looks up.

pub mod diff;
pub mod exim;
mod homes;
mod hosts;
mod inbound;
mod inbound_diff;
pub mod index;
mod outbound;
pub mod parts;
#[cfg(test)]
pub(crate) mod postfix_reader;
pub mod render;
mod shadowing;
mod spoken;
mod stored;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

pub use hosts::{HostAnswer, Hosts};
pub use inbound::{Identified, IdentifiedBy, InboundSide};
pub use outbound::{Connector, OutboundSide};
use spoken::Spoken;

use crate::model::requirement::{Anchors, CaFile};
use crate::model::{Agreements, Inbound, Mode, Mta, inbound::in_ranges};

/// An immutable generation of the configuration.
pub struct Snapshot {
    generation: u64,
    sha256: String,
    mta: Mta,
    exempt: Vec<ipnet::IpNet>,
    outbound: Vec<Connector>,
    spoken: Spoken,
    enforced: OutboundSide,
    reported: OutboundSide,
    has_reports: bool,
    inbound: Vec<Inbound>,
    inbound_enforced: InboundSide,
    inbound_reported: InboundSide,
}

/// The direction of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From us to a partner.
    Outbound,
    /// From a partner to us.
    Inbound,
}

impl Direction {
    /// The word in logs and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A contradiction between connectors, or within one, that only shows when they are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// In which list the connector stands.
    pub direction: Direction,
    /// Its index in that list of the agreements.
    pub connector: usize,
    /// The configuration key to point at.
    pub key: &'static str,
    /// The element of that key to point at, as it is written when normalised.
    pub text: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Compiles agreements.
///
/// # Errors
/// Every [`Conflict`] there is.
pub fn compile(agreements: &Agreements, generation: u64, sha256: String) -> Result<Snapshot, Vec<Conflict>> {
    let mut conflicts = Vec::new();
    let enforced = OutboundSide::build(agreements, Mode::Enforce, &mut conflicts);
    let (connectors, spoken) = outbound::connectors(agreements, enforced.hosts(), &mut conflicts);
    let reported = OutboundSide::build(agreements, Mode::Report, &mut conflicts);
    OutboundSide::build(agreements, Mode::Off, &mut conflicts);
    let inbound_enforced = InboundSide::build(agreements, Mode::Enforce, &mut conflicts);
    let inbound_reported = InboundSide::build(agreements, Mode::Report, &mut conflicts);
    InboundSide::build(agreements, Mode::Off, &mut conflicts);
    if !conflicts.is_empty() {
        return Err(conflicts);
    }
    Ok(Snapshot {
        generation,
        sha256,
        has_reports: agreements.outbound.iter().any(|outbound| outbound.mode == Mode::Report),
        mta: agreements.mta.clone(),
        exempt: agreements.inbound_exempt.clone(),
        outbound: connectors,
        spoken,
        enforced,
        reported,
        inbound: agreements.inbound.clone(),
        inbound_enforced,
        inbound_reported,
    })
}

impl Snapshot {
    /// The number of this load, from 1; 0 where no daemon is asked.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Lower-case hex of the SHA-256 of the effective configuration.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the administrator told us of the MTA.
    pub fn mta(&self) -> &Mta {
        &self.mta
    }

    /// Outbound connectors of every mode, in the order written.
    pub fn outbound(&self) -> &[Connector] {
        &self.outbound
    }

    /// The value for the map `tls` of the outbound connector of this number.
    pub fn policy(&self, number: u32) -> &str {
        let policy = self.spoken.policy(position(number));
        policy.expect("numbers are of connectors, and each has one")
    }

    /// The name of the outbound connector of this number; nothing else of it has to be looked at.
    pub fn outbound_name(&self, number: u32) -> &str {
        let name = self.spoken.name(position(number));
        name.expect("numbers are of connectors, and each has one")
    }

    /// Inbound connectors of every mode, in the order written.
    pub fn inbound(&self) -> &[Inbound] {
        &self.inbound
    }

    /// The enforcing outbound connectors, for lookup.
    pub fn enforced(&self) -> &OutboundSide {
        &self.enforced
    }

    /// Whether an outbound connector reports: where none does, nobody has to be looked for.
    pub fn has_reports(&self) -> bool {
        self.has_reports
    }

    /// The reporting outbound connectors, for lookup.
    pub fn reported(&self) -> &OutboundSide {
        &self.reported
    }

    /// The enforcing inbound connectors, for lookup.
    pub fn inbound_enforced(&self) -> &InboundSide {
        &self.inbound_enforced
    }

    /// The reporting inbound connectors, for lookup.
    pub fn inbound_reported(&self) -> &InboundSide {
        &self.inbound_reported
    }

    /// Whether a client is never judged.
    pub fn is_exempt(&self, address: std::net::IpAddr) -> bool {
        in_ranges(&self.exempt, address)
    }

    /// The ranges of clients that are never judged.
    pub fn exempt(&self) -> &[ipnet::IpNet] {
        &self.exempt
    }

    /// What of the connectors that take part cannot be told to Exim: at load no conflict, for the
    /// mail is deferred there, but to be known.
    pub fn exim_gaps(&self) -> Vec<Conflict> {
        let numbered = self.outbound.iter().enumerate();
        let gaps = numbered.filter(|(_, connector)| connector.agreement.mode != Mode::Off);
        let gaps = gaps.filter_map(|(number, connector)| {
            let gap = connector.exim.gap.as_ref()?;
            Some(Conflict {
                direction: Direction::Outbound,
                connector: number,
                key: gap.key(),
                text: None,
                message: format!("Exim would defer all mail of `{}`: {gap}", connector.agreement.name),
                help: gap.help().to_owned(),
            })
        });
        gaps.collect()
    }

    /// What a host with Exim should know of an enforcing connector for `*`: there the answer decides
    /// the way too, while Postfix keeps its own.
    pub fn exim_takes_every_way(&self) -> Option<Conflict> {
        let connector = position(self.enforced.index().any()?.owner);
        let name = &self.outbound.get(connector)?.agreement.name;
        Some(Conflict {
            direction: Direction::Outbound,
            connector,
            key: "domains",
            text: Some("*".to_owned()),
            message: format!("with Exim `{name}` sends all mail by MX records, past a smarthost or other routes of the site"),
            help: "name the partners' domains instead, or put every domain that has a way of its own into `except`, and those you relay for into [mta] own_domains"
                .to_owned(),
        })
    }

    /// The files of trust anchors that replies of this snapshot name relative to the queue
    /// directory: they have to be there before the first such reply leaves. Empty without one.
    pub fn published(&self) -> BTreeMap<PathBuf, &CaFile> {
        let mut files = BTreeMap::new();
        if self.mta.queue_directory.is_some() {
            for connector in &self.outbound {
                if let Anchors::File(file) = connector.agreement.requirement.anchors() {
                    files.insert(render::published_name(file), file.as_ref());
                }
            }
        }
        files
    }
}

/// Octets that the processor takes from memory at once: a line of its cache.
const LINE: usize = 64;

/// A number of four octets, as most are kept here, as the index in a list.
fn position(number: u32) -> usize {
    usize::try_from(number).expect("a platform with Unix sockets has pointers of 32 bits or more")
}

#[cfg(test)]
#[path = "compile_tests.rs"]
mod tests;
