//! One round: all mail servers behave in one way, the daemon answers or does not, and every connector gets its probes.
//!
//! Each round has a network, a copy of the MTA and a daemon of its own, so that nothing that one leaves behind (an open
//! connection, a session, a host that is not tried for a while) is seen by the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::atlas::Atlas;
use super::closing::{Closes, Closing};
use super::conversation::HEADER;
use super::daemon::Daemon;
use super::dns::Says;
use super::enclosure::{AUTHORITY, Enclosure, Processes};
use super::judge::{Came, weaker};
use super::log::{Fate, Log, Outcome};
use super::mta::Submitted;
use super::network::{Namespace, WORLD, connect};
use super::partner::{Authorities, Mail, Partner};
use super::plan::{self as planned, Plan};
use super::proof::{End, Try};
use super::server::Server;
use super::{Error, place};
use crate::model::Host;
use crate::model::requirement::TlsVersion;

/// What is tried in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// What the servers do.
    pub server: Server,
    /// Whether the daemon answers.
    pub daemon: bool,
}

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(50);

/// Octets of a file of authorities that are read; all that the system trusts are half a million.
const MAX_PEM: u64 = 16 << 20;

/// The DNS's port (RFC 1035 section 4.2).
const DNS: u16 = 53;

/// A probe on its way; its number is its place.
struct Probe<'p> {
    mail: planned::Mail<'p>,
    recipient: String,
    /// Why the MTA did not take it in, if so.
    refused: Option<String>,
}

/// What came of a round.
pub struct Ran {
    /// For each probe the number of its connector, and what came of it.
    pub tries: Vec<(usize, Try)>,
    /// Ports that mail was to go to, and where nobody was.
    pub unserved: BTreeSet<u16>,
}

/// Runs a round.
///
/// # Errors
/// It could not be run.
pub fn run(
    plan: &Plan,
    round: Round,
    ports: &BTreeSet<u16>,
    authorities: &Arc<Authorities>,
    key: [u8; 32],
) -> Result<Ran, Error> {
    // Namespaces are of a thread, and for good.
    thread::scope(|scope| {
        let thread =
            thread::Builder::new().spawn_scoped(scope, || enclosed(plan, round, ports, authorities, key));
        let thread = thread.map_err(|error| Error::system("start a thread", error))?;
        thread.join().unwrap_or(Err(Error::Panicked))
    })
}

fn enclosed(
    plan: &Plan,
    round: Round,
    ports: &BTreeSet<u16>,
    authorities: &Arc<Authorities>,
    key: [u8; 32],
) -> Result<Ran, Error> {
    let closing = Closing::default();
    let _closes = Closes(closing.clone());
    let world = Namespace::new().map_err(|error| Error::system("make a network namespace", error))?;
    let mut enclosure = Enclosure::enter()?;
    connect(&world, &plan.own)?;

    let atlas = Arc::new(Atlas::of(&plan.subjects));
    let says = Says {
        key: (round.server != Server::NoTlsa).then_some(key),
        misleads: round.server == Server::Misled,
    };
    let socket = world.enter(|| UdpSocket::bind((WORLD, DNS))).and_then(|socket| socket);
    let served =
        socket.and_then(|socket| super::dns::serve(socket, Arc::clone(&atlas), says, closing.clone()));
    served.map_err(|error| Error::system("serve the DNS of the proof", error))?;
    let partner = Partner::start(&world, ports, round.server, Arc::clone(&atlas), Arc::clone(authorities))
        .map_err(|error| Error::system("serve the mail servers of the proof", error))?;

    plan.mta.copy_into(&mut enclosure)?;
    trust(plan, &enclosure, authorities)?;
    directories_of_sockets(plan, &enclosure)?;
    let log = Log::new(plan.mta.reader());
    log.listen(Path::new("/dev/log"), closing.clone())
        .map_err(|error| Error::system("listen to the log", error))?;

    let _processes = Processes::begin()?;
    let mut daemon = if round.daemon { Some(Daemon::start(plan, &enclosure)?) } else { None };
    plan.mta.start().map_err(|error| error.beside(&log.last()))?;
    let probes = send(plan)?;
    plan.mta.tend(u32::try_from(probes.len()).unwrap_or(u32::MAX))?;
    await_ends(plan, &probes, &log);
    let (mail, asked) = (partner.mail(), partner.asked());
    if let Some(daemon) = &mut daemon {
        daemon.is_well()?;
    }
    let mut ran = Ran { tries: Vec::new(), unserved: BTreeSet::new() };
    for (number, probe) in probes.iter().enumerate() {
        let mail: Vec<&Mail> = mail.iter().filter(|mail| mail.probe == number).collect();
        let fates = log.fates(&probe.recipient);
        ran.unserved.extend(fates.iter().flat_map(|fate| &fate.refused).filter_map(|refusal| refusal.port));
        let forged = atlas.forged(probe.mail.domain);
        ran.tries.push((probe.mail.subject, tried(plan, round, probe, &fates, &mail, &asked, &forged)));
    }
    Ok(ran)
}

/// Lets our authorities be trusted where one is: the one by the MTA, the other by connectors with their own files.
fn trust(plan: &Plan, enclosure: &Enclosure, authorities: &Authorities) -> Result<(), Error> {
    let pem = authorities.system.pem()?;
    fs::write(AUTHORITY, pem).map_err(|error| Error::place("write", Path::new(AUTHORITY), error))?;
    let mut trusting: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for (files, authority) in
        [(plan.mta.authorities(), &authorities.system), (plan.anchors.clone(), &authorities.own)]
    {
        // A file that is not there is trusted by nobody, and stays so.
        for file in files.into_iter().filter_map(|file| fs::canonicalize(file).ok()) {
            let ours = trusting.entry(file).or_default();
            ours.push(b'\n');
            ours.extend(authority.pem()?);
        }
    }
    for (number, (file, ours)) in trusting.into_iter().enumerate() {
        let mut bytes = Vec::new();
        let read = fs::File::open(&file).and_then(|opened| opened.take(MAX_PEM).read_to_end(&mut bytes));
        read.map_err(|error| Error::place("read", &file, error))?;
        bytes.extend(ours);
        let with_ours = enclosure.write(&format!("authorities-{number}.pem"), &bytes)?;
        enclosure.replace(&file, &with_ours)?;
    }
    Ok(())
}

/// Makes the directories of the daemon's sockets, with none of this machine's in them.
fn directories_of_sockets(plan: &Plan, enclosure: &Enclosure) -> Result<(), Error> {
    for (number, directory) in plan.sockets.iter().enumerate() {
        let place = place::of(directory).map_err(|error| Error::place("follow", directory, error))?;
        if enclosure.is_ours(&place) {
            fs::create_dir_all(&place).map_err(|error| Error::place("make", directory, error))?;
            continue;
        }
        let ours = enclosure.directory(Path::new(&format!("sockets-{number}")), 0o755)?;
        enclosure.replace(&place, &ours)?;
    }
    Ok(())
}

/// Gives every probe to the copy.
fn send(plan: &Plan) -> Result<Vec<Probe<'_>>, Error> {
    let mut probes = Vec::new();
    for mail in plan.mails() {
        let recipient = format!("connectord-prove-{}@{}", probes.len(), mail.domain);
        let required = if mail.header { "TLS-Required: no\n" } else { "" };
        let headers = format!("{HEADER}: {}\n{required}", probes.len());
        let refused = match plan.mta.submit(&mail.sender, &recipient, &headers)? {
            Submitted::Taken => None,
            Submitted::Refused(why) => Some(why),
        };
        probes.push(Probe { mail, recipient, refused });
    }
    Ok(probes)
}

/// Waits until something is known of each.
fn await_ends(plan: &Plan, probes: &[Probe<'_>], log: &Log) {
    let patience = plan.mta.patience(u32::try_from(probes.len()).unwrap_or(u32::MAX));
    let until = Instant::now() + patience.first;
    loop {
        log.catch_up(&plan.mta.logs());
        let is_known = |probe: &Probe<'_>| probe.refused.is_some() || !log.fates(&probe.recipient).is_empty();
        if probes.iter().all(is_known) || Instant::now() > until {
            break;
        }
        thread::sleep(PAUSE);
    }
    thread::sleep(patience.rest);
    log.catch_up(&plan.mta.logs());
}

fn tried(
    plan: &Plan,
    round: Round,
    probe: &Probe<'_>,
    fates: &[Fate],
    taken: &[&Mail],
    asked: &BTreeSet<String>,
    forged: &str,
) -> Try {
    let subject = plan.subjects.get(probe.mail.subject);
    let weak = |mail: &Mail| {
        let came = match &mail.tls {
            None => Came::Plain,
            Some(version) => Came::Tls(TlsVersion::from_word(version)),
        };
        weaker(&subject?.requirement, probe.mail.domain, &mail.host, round.server, came)
    };
    // What is for another domain is no mail of this connector: a copy for an archive, or a recipient who was rewritten.
    let is_own = |mail: &&&Mail| mail.domains.iter().any(|domain| domain == probe.mail.domain);
    let (arrived, copies): (Vec<&Mail>, Vec<&Mail>) = taken.iter().partition(is_own);
    let copied = copies.iter().map(|mail| {
        let to = mail.domains.join(", ");
        format!("the message, or a copy, went to {} for {to}: that is not of this connector", mail.host)
    });
    let refused = fates.iter().flat_map(|fate| &fate.refused);
    let refused = refused
        .map(|refusal| format!("it was to go to a port where no server of the proof is: {}", refusal.words));
    // Of a message that came twice the weaker one counts.
    let (arrived, weaker) = match arrived.iter().find_map(|mail| Some((*mail, weak(mail)?))) {
        Some((mail, weaker)) => (Some(mail), Some(weaker)),
        None => (arrived.first().copied(), None),
    };
    // Of what an alias made of it, what is furthest from showing anything.
    let with = |outcome| fates.iter().find(|fate| fate.outcome == outcome);
    let (end, fate) = if probe.refused.is_some() {
        (End::Refused, None)
    } else if arrived.is_some() {
        (End::Arrived, with(Outcome::Sent).or(fates.first()))
    } else if let Some(fate) = with(Outcome::Sent) {
        (End::Elsewhere, Some(fate))
    } else if let Some(fate) = with(Outcome::Returned) {
        (End::Returned, Some(fate))
    } else if let Some(fate) = with(Outcome::Waits) {
        (End::Waits, Some(fate))
    } else {
        (End::Unknown, fates.first())
    };
    let is_asked = |host: &Host| match (round.server, host) {
        // Forged records lead to nobody of the partner.
        (Server::Misled, _) => asked.contains(forged) || asked.contains(&host.to_string()),
        _ => asked.contains(&host.to_string()),
    };
    Try {
        server: round.server.id(),
        daemon: round.daemon,
        header: probe.mail.header,
        sender: probe.mail.sender.clone(),
        recipient: probe.recipient.clone(),
        end,
        host: arrived.map(|mail| mail.host.clone()),
        tls: arrived.and_then(|mail| mail.tls.clone()),
        reason: probe.refused.clone().or_else(|| Some(fate?.reason.clone())).unwrap_or_default(),
        asked: subject.is_some_and(|subject| subject.hosts.iter().any(|host| is_asked(&host.host))),
        weaker,
        doubts: copied.chain(refused).collect(),
    }
}
