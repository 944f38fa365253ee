//! One round: all mail servers behave in one way, the daemon answers or does not, and every connector gets its probes.
//!
//! Each round has a network, a copy of the MTA and a daemon of its own, so that nothing that one leaves behind (an open
//! connection, a session, a host that is not tried for a while) is seen by the next.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::atlas::Atlas;
use super::closing::{Closes, Closing};
use super::enclosure::{Enclosure, Processes};
use super::judge::{Came, weaker};
use super::log::Log;
use super::network::{Namespace, WORLD, connect};
use super::partner::{Authorities, Mail, Partner};
use super::proof::{End, Try};
use super::server::Server;
use super::{Error, Plan};
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

/// Within this time a daemon answers, with a million domains too.
const START: Duration = Duration::from_secs(30);

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
    let authority = trust(plan, &mut enclosure, authorities)?;
    directories_of_sockets(plan, &mut enclosure)?;
    let state = enclosure.directory(Path::new("state"), 0o700)?;
    enclosure.seal()?;
    let log = Log::listen(Path::new("/dev/log"), closing.clone())
        .map_err(|error| Error::system("listen to the log", error))?;

    let _processes = Processes::begin()?;
    let _daemon = if round.daemon { Some(Daemon::start(plan, &state)?) } else { None };
    plan.original.start(&authority).map_err(|error| error.beside(&log.last()))?;
    let probes = send(plan)?;
    await_ends(&probes, &log, &partner);
    let mail = partner.mail();
    Ok(probes.into_iter().map(|probe| (probe.subject, tried(plan, round, &probe, &log, &mail))).collect())
}

/// Lets our authority be trusted wherever one is: by the MTA, and by connectors with their own files.
fn trust(plan: &Plan, enclosure: &mut Enclosure, authorities: &Authorities) -> Result<PathBuf, Error> {
    let pem = authorities.trusted.pem()?;
    let ours = enclosure.write("authority.pem", &pem)?;
    let files = plan.original.authorities().into_iter().chain(plan.anchors.iter().cloned());
    let mut done: Vec<PathBuf> = Vec::new();
    for file in files {
        // A file that is not there is trusted by nobody, and stays so.
        let Ok(file) = fs::canonicalize(&file) else { continue };
        if done.contains(&file) {
            continue;
        }
        let mut bytes = fs::read(&file).map_err(|error| Error::place("read", &file, error))?;
        bytes.push(b'\n');
        bytes.extend(&pem);
        let with_ours = enclosure.write(&format!("authorities-{}.pem", done.len()), &bytes)?;
        enclosure.replace(&file, &with_ours)?;
        done.push(file);
    }
    Ok(ours)
}

/// Makes the directories of the daemon's sockets, with none of this machine's in them.
fn directories_of_sockets(plan: &Plan, enclosure: &mut Enclosure) -> Result<(), Error> {
    for (number, directory) in plan.sockets.iter().enumerate() {
        if directory.starts_with("/run") || directory.starts_with(plan.original.queue_directory()) {
            fs::create_dir_all(directory).map_err(|error| Error::place("make", directory, error))?;
            continue;
        }
        let ours = enclosure.directory(Path::new(&format!("sockets-{number}")), 0o755)?;
        enclosure.replace(directory, &ours)?;
    }
    Ok(())
}

/// A daemon of the configuration as it is in the files now.
struct Daemon(Child);

impl Daemon {
    fn start(plan: &Plan, state: &Path) -> Result<Daemon, Error> {
        let child = Command::new(&plan.program)
            .arg("serve")
            .arg("--config")
            .arg(&plan.config)
            .arg("--runtime-dir")
            .arg(&plan.runtime)
            .arg("--state-dir")
            .arg(state)
            .env_remove("NOTIFY_SOCKET")
            .env_remove("LISTEN_FDS")
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.map_err(|error| Error::place("run", &plan.program, error))?;
        let mut daemon = Daemon(child);
        let until = Instant::now() + START;
        while !plan.listens() {
            if let Ok(Some(status)) = daemon.0.try_wait() {
                return Err(Error::Daemon { said: format!("ended with {status}") });
            }
            if Instant::now() > until {
                return Err(Error::Daemon { said: "does not listen at its sockets".to_owned() });
            }
            thread::sleep(PAUSE);
        }
        // Who may ask is the matter of the units that make them, and of `doctor`.
        for socket in plan.asked() {
            let opened = fs::set_permissions(&socket, fs::Permissions::from_mode(0o666));
            opened.map_err(|error| Error::place("open", &socket, error))?;
        }
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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

/// Whether somebody listens at a socket.
pub fn listens(path: &Path) -> bool {
    let connected: io::Result<_> = std::os::unix::net::UnixStream::connect(path);
    connected.is_ok()
}
