//! One round: all mail servers behave in one way, the daemon answers or does not, and every connector gets its probes.
//!
//! Each round has a network, a copy of the MTA and a daemon of its own, so that nothing that one leaves behind (an open
//! connection, a session, a host that is not tried for a while) is seen by the next.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::atlas::Atlas;
use super::closing::{Closes, Closing};
use super::daemon::Daemon;
use super::enclosure::{AUTHORITY, Enclosure, Processes};
use super::judge::{Came, weaker};
use super::log::Log;
use super::network::{Namespace, WORLD, connect};
use super::partner::{Authorities, Mail, Partner};
use super::proof::{End, Try};
use super::server::Server;
use super::{Error, Plan, place};
use crate::model::requirement::TlsVersion;

/// What is tried in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// What the servers do.
    pub server: Server,
    /// Whether the daemon answers.
    pub daemon: bool,
}

/// How long it may take until all probes have ended, and so much more for each.
const PATIENCE: Duration = Duration::from_secs(60);
const MORE: Duration = Duration::from_millis(200);

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(50);

/// Octets of a file of authorities that are read; all that the system trusts are half a million.
const MAX_PEM: u64 = 16 << 20;

/// The DNS's port (RFC 1035 section 4.2).
const DNS: u16 = 53;

/// A probe on its way.
struct Probe {
    subject: usize,
    header: bool,
    recipient: String,
}

/// Runs a round; for each probe the number of its connector, and what came of it.
///
/// # Errors
/// It could not be run.
pub fn run(
    plan: &Plan,
    round: Round,
    ports: &BTreeSet<u16>,
    authorities: &Arc<Authorities>,
    key: [u8; 32],
) -> Result<Vec<(usize, Try)>, Error> {
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
) -> Result<Vec<(usize, Try)>, Error> {
    let closing = Closing::default();
    let _closes = Closes(closing.clone());
    let world = Namespace::new().map_err(|error| Error::system("make a network namespace", error))?;
    let mut enclosure = Enclosure::enter()?;
    connect(&world, &plan.own)?;

    let atlas = Arc::new(Atlas::of(&plan.subjects));
    let socket = world.enter(|| UdpSocket::bind((WORLD, DNS))).and_then(|socket| socket);
    let served =
        socket.and_then(|socket| super::dns::serve(socket, Arc::clone(&atlas), key, closing.clone()));
    served.map_err(|error| Error::system("serve the DNS of the proof", error))?;
    let partner = Partner::start(&world, ports, round.server, atlas, Arc::clone(authorities))
        .map_err(|error| Error::system("serve the mail servers of the proof", error))?;

    plan.original.copy_into(&mut enclosure)?;
    trust(plan, &enclosure, authorities)?;
    directories_of_sockets(plan, &enclosure)?;
    let log = Log::listen(Path::new("/dev/log"), closing.clone())
        .map_err(|error| Error::system("listen to the log", error))?;

    let _processes = Processes::begin()?;
    let _daemon = if round.daemon { Some(Daemon::start(plan, &enclosure)?) } else { None };
    plan.original.start().map_err(|error| error.beside(&log.last()))?;
    let probes = send(plan)?;
    await_ends(&probes, &log, &partner);
    let mail = partner.mail();
    Ok(probes.into_iter().map(|probe| (probe.subject, tried(plan, round, &probe, &log, &mail))).collect())
}

/// Lets our authority be trusted wherever one is: by the MTA, and by connectors with their own files.
fn trust(plan: &Plan, enclosure: &Enclosure, authorities: &Authorities) -> Result<(), Error> {
    let pem = authorities.trusted.pem()?;
    fs::write(AUTHORITY, &pem).map_err(|error| Error::place("write", Path::new(AUTHORITY), error))?;
    let files = plan.original.authorities().into_iter().chain(plan.anchors.iter().cloned());
    let mut done: Vec<PathBuf> = Vec::new();
    for file in files {
        // A file that is not there is trusted by nobody, and stays so.
        let Ok(file) = fs::canonicalize(&file) else { continue };
        if done.contains(&file) {
            continue;
        }
        let mut bytes = Vec::new();
        let read = fs::File::open(&file).and_then(|opened| opened.take(MAX_PEM).read_to_end(&mut bytes));
        read.map_err(|error| Error::place("read", &file, error))?;
        bytes.push(b'\n');
        bytes.extend(&pem);
        let with_ours = enclosure.write(&format!("authorities-{}.pem", done.len()), &bytes)?;
        enclosure.replace(&file, &with_ours)?;
        done.push(file);
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
fn send(plan: &Plan) -> Result<Vec<Probe>, Error> {
    let mut probes = Vec::new();
    for (subject, connector) in plan.subjects.iter().enumerate() {
        for domain in &connector.domains {
            for header in [false, true] {
                let recipient = format!("connectord-prove-{}@{domain}", probes.len());
                let headers = if header { "TLS-Required: no\n" } else { "" };
                plan.original.submit(&plan.sender, &recipient, headers)?;
                probes.push(Probe { subject, header, recipient });
            }
        }
    }
    Ok(probes)
}

/// Waits until something is known of each.
fn await_ends(probes: &[Probe], log: &Log, partner: &Partner) {
    let more = u32::try_from(probes.len()).unwrap_or(u32::MAX);
    let until = Instant::now() + PATIENCE + MORE.saturating_mul(more);
    while Instant::now() < until && probes.iter().any(|probe| log.fate(&probe.recipient).is_none()) {
        thread::sleep(PAUSE);
    }
    // What a server has taken is in its book before it says so.
    let _ = partner;
}

fn tried(plan: &Plan, round: Round, probe: &Probe, log: &Log, mail: &[Mail]) -> Try {
    let fate = log.fate(&probe.recipient);
    let reason = fate.as_ref().map(|fate| fate.reason.clone()).unwrap_or_default();
    let arrived: Vec<&Mail> = mail.iter().filter(|mail| mail.recipient == probe.recipient).collect();
    let weak = |mail: &Mail| {
        let came = match &mail.tls {
            None => Came::Plain,
            Some(version) => Came::Tls(TlsVersion::from_word(version)),
        };
        let subject = plan.subjects.get(probe.subject)?;
        weaker(&subject.requirement, round.server, came)
    };
    // Of a message that came twice the weaker one counts.
    let found = arrived.iter().find_map(|mail| Some((*mail, weak(mail)?)));
    let (arrived, weaker) = match found {
        Some((mail, weaker)) => (Some(mail), Some(weaker)),
        None => (arrived.first().copied(), None),
    };
    let end = match (arrived, fate.as_ref().map(|fate| fate.status.as_str())) {
        (Some(_), _) => End::Arrived,
        (None, Some("deferred")) => End::Waits,
        (None, Some("bounced" | "expired")) => End::Returned,
        (None, Some(_)) => End::Elsewhere,
        (None, None) => End::Unknown,
    };
    Try {
        server: round.server.id(),
        daemon: round.daemon,
        header: probe.header,
        recipient: probe.recipient.clone(),
        end,
        host: arrived.map(|mail| mail.host.clone()),
        tls: arrived.and_then(|mail| mail.tls.clone()),
        reason,
        weaker,
    }
}
