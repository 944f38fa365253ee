//! What a connector is to Exim, as text: made once, at load.
//!
//! Exim has no policy maps. Its router asks for the recipient's domain, gets one line, and chooses
//! among static transports, one for each word of [`Transport`]; the rest of the line fills in what
//! such a transport leaves open. What no line can carry is [`Inexpressible`]: then the line says
//! that the mail is to wait, and nothing is left out.
//!
//! Exim asks once for a domain, and not for a host, so a connector with smart hosts answers with
//! the join of what is demanded at each of them. Postfix asks for the host and gets the same join
//! for that host alone: where the hosts differ in what they demand, Exim's answer is the stronger.

use std::path::Path;

use super::hosts::Hosts;
use super::parts::{Carrier, Part};
use super::render;
use crate::model::host::NextHop;
use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::requirement::{Anchors, Requirement, ServerName, Unjoinable, join};
use crate::model::{Host, Level, Mode, Mta, Outbound};
use crate::protocol::exim::Answer;

/// Most bytes of an answer. Ours: Exim would read more, but it keeps the line for each address.
const ANSWER_LIMIT: usize = 4 * 1024;

/// What a connector answers Exim.
pub struct EximPolicy {
    /// The answer to `out`, whole, without the line feed.
    pub answer: String,
    /// Why the answer is that the mail has to wait, if so.
    pub gap: Option<Inexpressible>,
    /// The transport that it names.
    pub transport: Transport,
    /// What it demands, where that is not the connector's own requirement: the join at smart hosts.
    pub joined: Option<Box<Requirement>>,
}

/// The transports of contrib/exim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS when it is offered, plaintext otherwise.
    May,
    /// TLS with any certificate.
    Encrypt,
    /// A chain, and the name of the host that is connected to.
    Host,
    /// A chain, and a name that the daemon judges.
    Cert,
    /// A certificate or key that the daemon knows.
    Pin,
    /// Usable TLSA records, or no delivery.
    Dane,
}

impl Transport {
    /// The word in an answer; contrib/exim has a transport `connectord_WORD`.
    pub fn word(self) -> &'static str {
        match self {
            Transport::May => "may",
            Transport::Encrypt => "encrypt",
            Transport::Host => "host",
            Transport::Cert => "cert",
            Transport::Pin => "pin",
            Transport::Dane => "dane",
        }
    }

    /// The one for a requirement.
    pub fn of(requirement: &Requirement) -> Transport {
        match (requirement.level(), requirement.names()) {
            // With usable TLSA records Exim's defaults do what `dane` means.
            (Level::May | Level::Dane, _) => Transport::May,
            (Level::Encrypt, _) => Transport::Encrypt,
            (Level::Verify | Level::Secure, Names::Any | Names::MxHost) => Transport::Host,
            (Level::Verify | Level::Secure, Names::Domain | Names::Set(_)) => Transport::Cert,
            (Level::Fingerprint, _) => Transport::Pin,
            (Level::DaneOnly, _) => Transport::Dane,
        }
    }

    /// What Exim does with it, in words for `explain`.
    pub fn meaning(self) -> &'static str {
        match self {
            Transport::May => "uses TLS when the partner offers it, plaintext otherwise",
            Transport::Encrypt => "delivers over TLS with any certificate, or defers",
            Transport::Host => {
                "delivers over TLS to a certificate that a trusted authority issued for the host's name, or defers"
            }
            Transport::Cert => {
                "delivers over TLS to a certificate that a trusted authority issued for one of the names, or defers"
            }
            Transport::Pin => "delivers over TLS to a certificate or key with one of the digests, or defers",
            Transport::Dane => "delivers as usable TLSA records demand, or defers",
        }
    }
}

/// A part of a connector that no answer to Exim can carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inexpressible {
    /// A part for which there is no word at all.
    #[error("Exim has no word for `{}`", .0.key())]
    Part(Part),
    /// The next-hop as SNI, where it is neither the recipient's domain nor the host.
    #[error("Exim cannot send the name of a smart host with MX records as SNI")]
    ServerName,
    /// A service name as port.
    #[error("Exim needs the port of a smart host as a number")]
    Port,
    /// A path that cannot be written in an answer.
    #[error("the path of the trust anchors has characters that cannot be told to Exim")]
    Path,
    /// Smart hosts with different demands.
    #[error("Exim asks once for all smart hosts, and {0}")]
    Hosts(Unjoinable),
    /// An answer over [`ANSWER_LIMIT`].
    #[error("the answer to Exim would be longer than 4 KiB")]
    Length,
}

impl Inexpressible {
    /// The configuration key to look at.
    pub fn key(&self) -> &'static str {
        match self {
            Inexpressible::Part(part) => part.key(),
            Inexpressible::ServerName => "servername",
            Inexpressible::Port | Inexpressible::Hosts(_) | Inexpressible::Length => "route",
            Inexpressible::Path => "ca_file",
        }
    }

    /// What the operator can do.
    pub fn help(&self) -> &'static str {
        match self {
            Inexpressible::Part(_) => "leave the key out, and have Exim demand it of all mail if it can",
            Inexpressible::ServerName => "write the name itself, or the smart hosts in brackets",
            Inexpressible::Port => "write the number, such as 587 for submission",
            Inexpressible::Path => "use a path of letters, digits and . _ - / alone",
            Inexpressible::Hosts(_) => "give the smart hosts the same demands, or the connector fewer hosts",
            Inexpressible::Length => "name fewer smart hosts",
        }
    }
}

impl EximPolicy {
    /// Renders a connector; `hosts` are the joined smart hosts of the enforcing ones.
    pub(super) fn of(outbound: &Outbound, hosts: &Hosts, mta: &Mta) -> EximPolicy {
        let (joined, gap) = match joined(outbound, hosts) {
            Ok(joined) => (joined, None),
            Err(unjoinable) => (None, Some(Inexpressible::Hosts(unjoinable))),
        };
        let requirement = joined.as_ref().unwrap_or(&outbound.requirement);
        let rendered = match gap {
            Some(gap) => Err(gap),
            None => answer(requirement, &outbound.route, mta),
        };
        let transport = Transport::of(requirement);
        EximPolicy::rendered(rendered, outbound.name.as_str(), transport, joined)
    }

    /// Renders what is demanded at a smart host, for mail to a domain of its name; `connectors`
    /// are those that demand it.
    pub(super) fn of_host(requirement: &Requirement, connectors: &str, mta: &Mta) -> EximPolicy {
        let rendered = answer(requirement, &Route::Mx, mta);
        EximPolicy::rendered(rendered, connectors, Transport::of(requirement), Some(requirement.clone()))
    }

    fn rendered(
        rendered: Result<String, Inexpressible>,
        connectors: &str,
        transport: Transport,
        joined: Option<Requirement>,
    ) -> EximPolicy {
        let (answer, gap) = match rendered {
            Ok(answer) => (answer, None),
            Err(gap) => (deferral(&format!("connector {connectors}: {gap}")), Some(gap)),
        };
        EximPolicy { answer, gap, transport, joined: joined.map(Box::new) }
    }
}

/// The answer by which Exim keeps a mail.
pub fn deferral(text: &str) -> String {
    Answer::new().with("status", "temp").with("text", text).finish()
}

/// The join of all smart hosts' demands, the connector's own among them; `None` without any.
fn joined(outbound: &Outbound, hosts: &Hosts) -> Result<Option<Requirement>, Unjoinable> {
    // A connector that reports would have answered for itself.
    if outbound.mode != Mode::Enforce || outbound.route == Route::Mx {
        return Ok(None);
    }
    let own = std::iter::once(outbound.requirement.clone());
    let of_hosts = outbound.route.smart_hosts().iter().filter_map(|hop| {
        let answer = hosts.find(hop.host(), hop.is_bare())?;
        Some(answer.requirement.clone())
    });
    join(&own.chain(of_hosts).collect::<Vec<_>>()).map(Some)
}

fn answer(requirement: &Requirement, route: &Route, mta: &Mta) -> Result<String, Inexpressible> {
    let unsaid = |part: &Part| part.to_exim() == Carrier::Nothing && part.is_demanded(requirement, route);
    if let Some(part) = Part::ALL.into_iter().find(unsaid) {
        return Err(Inexpressible::Part(part));
    }
    let mut answer = Answer::new().with("status", "ok").with("tls", Transport::of(requirement).word());
    if let Anchors::File(file) = requirement.anchors() {
        let path = match &mta.queue_directory {
            Some(queue_directory) => queue_directory.join(render::published_name(file)),
            None => file.path.clone(),
        };
        answer = answer.with("ca", &plain(&path)?);
    }
    if let Some(name) = requirement.servername() {
        answer = answer.with("sni", &sni(name, route)?);
    }
    if let Some(version) = requirement.min_version() {
        answer = answer.with("min", version.word());
    }
    if let Route::SmartHosts(hops) = route {
        let items: Vec<String> = hops.iter().map(list_item).collect::<Result<_, _>>()?;
        answer = answer.with("hosts", &items.join(":"));
    }
    let answer = answer.finish();
    if answer.len() > ANSWER_LIMIT { Err(Inexpressible::Length) } else { Ok(answer) }
}

/// A path without anything that Exim's expansion or lists could take apart.
fn plain(path: &Path) -> Result<String, Inexpressible> {
    let text = path.to_str().ok_or(Inexpressible::Path)?;
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/+@,= ".contains(&b));
    if plain { Ok(text.to_owned()) } else { Err(Inexpressible::Path) }
}

/// The name itself, or one of the words that contrib/exim knows. No host has such a name: a
/// `servername` of one label is refused at load.
fn sni(name: &ServerName, route: &Route) -> Result<String, Inexpressible> {
    match (name, route) {
        (ServerName::Name(domain), _) => Ok(domain.to_string()),
        (ServerName::HostName, _) => Ok("hostname".to_owned()),
        (ServerName::NextHop, Route::Mx) => Ok("nexthop".to_owned()),
        (ServerName::NextHop, Route::SmartHosts(hops)) => {
            if hops.iter().any(NextHop::uses_mx) {
                Err(Inexpressible::ServerName)
            } else {
                Ok("hostname".to_owned())
            }
        }
    }
}

/// A smart host in the list syntax of `route_data`: what separates items is doubled inside one,
/// `/MX` asks for MX records, and digits behind the last colon are the port (host.c,
/// host_item_get_port; rf_lookup_hostlist.c). An IPv6 address has brackets when a port follows.
fn list_item(hop: &NextHop) -> Result<String, Inexpressible> {
    let port = match hop.port() {
        None => None,
        Some("smtp") => Some(25),
        Some("submission") => Some(587),
        Some(port) => Some(port.parse::<u16>().map_err(|_| Inexpressible::Port)?),
    };
    let mut item = match hop.host() {
        Host::Name(name) if hop.uses_mx() => format!("{name}/MX"),
        Host::Name(name) => name.to_string(),
        Host::Address(address) if address.is_ipv6() && port.is_some() => format!("[{address}]"),
        Host::Address(address) => address.to_string(),
    };
    if let Some(port) = port {
        item.push_str(&format!(":{port}"));
    }
    Ok(item.replace(':', "::"))
}

#[cfg(test)]
#[path = "exim_tests.rs"]
mod tests;
