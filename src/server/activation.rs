//! Sockets inherited from systemd (sd_listen_fds(3)), matched with the configuration by path.
//!
//! Either all are inherited or none: a socket unit and a configuration that disagree would leave
//! an MTA asking a socket that nobody serves, so that is an error at start. Only the control
//! socket, which is always there whether configured or not, and those for metrics are made by us when
//! they are not passed. Where no `[[listen]]` but for metrics is written the units alone say which
//! sockets there are, each by its name: a host has those of its MTA. One at an address is for metrics.
//!
//! A socket for metrics counts for none of this: where no other is passed, the daemon makes its own. What is wrong with
//! a socket for metrics alone is told, and mail does not wait for it
//! (`metrics_not_served`).
//!
//! An inherited socket has the owner and mode of its unit, stays when we go (connections wait in
//! it for the next start), and is neither watched nor removed.

use std::io;
use std::net::TcpListener;
use std::path::Path;

use listenfd::ListenFd;
use nix::libc::{AF_INET6, SOCK_STREAM};

use super::error::Error;
use super::queue::Queue;
use super::runtime_dir::RuntimeDir;
use super::socket::{Socket, identity};
use crate::config::{At, Listen, ListenProtocol};
use crate::model::Mode;
use crate::snapshot::{Direction, Snapshot};

/// How a socket is called that no path leads to.
const NO_PATH: &str = "a socket without a path";

/// A listener of the configuration with its socket.
#[derive(Debug)]
pub(super) struct Listener {
    /// What is spoken.
    pub(super) protocol: ListenProtocol,
    /// Where, for people.
    pub(super) place: String,
    /// Whether systemd made the socket.
    pub(super) is_inherited: bool,
    /// The socket.
    pub(super) socket: Socket,
}

/// The sockets that systemd passed, in its order, and where each is.
#[derive(Debug)]
pub(super) struct Inherited(Vec<(Queue, Option<At>)>);

impl Inherited {
    /// Takes them from the environment; to be called once, before anything opens a descriptor.
    pub(super) fn take() -> Result<Inherited, Error> {
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::with_capacity(passed.len());
        for index in 0..passed.len() {
            let taken = Self::take_one(&mut passed, index);
            sockets
                .extend(taken.map_err(|source| Error::process("take over a socket from systemd", source))?);
        }
        Ok(Inherited(sockets))
    }

    fn take_one(passed: &mut ListenFd, index: usize) -> io::Result<Option<(Queue, Option<At>)>> {
        // What is no Unix socket is not taken by this, and is asked for again.
        if let Ok(listener) = passed.take_unix_listener(index) {
            let Some(listener) = listener else { return Ok(None) };
            listener.set_nonblocking(true)?;
            let address = listener.local_addr().ok();
            let path = address.and_then(|address| address.as_pathname().map(Path::to_owned));
            return Ok(Some((Queue::Unix(listener), path.map(At::Path))));
        }
        let listener = passed
            .take_tcp_listener(index)
            .or_else(|_| passed.take_custom::<TcpListener>(index, AF_INET6, SOCK_STREAM, "stream socket"));
        let Some(listener) = listener? else { return Ok(None) };
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Some((Queue::Tcp(listener), Some(At::Address(address)))))
    }

    /// What is to be spoken on those that are not written, by their names: all, or where others are those for metrics.
    fn named(&self, written: &[Listen], all: bool, directory: &RuntimeDir) -> Result<Vec<Listen>, Error> {
        let is_written = |at: &At| written.iter().any(|listen| is_at(at, &listen.at, directory));
        let mut named = Vec::new();
        for (_, at) in self.0.iter().filter(|(_, at)| !at.as_ref().is_some_and(is_written)) {
            let mut defaults = ListenProtocol::ALL.into_iter().map(ListenProtocol::default_listener);
            let default = match at {
                Some(At::Path(path)) => {
                    defaults.find(|default| path.file_name() == default.path().map(Path::as_os_str))
                }
                Some(At::Address(_)) => Some(ListenProtocol::Metrics.default_listener()),
                None => None,
            };
            match (default, at) {
                (Some(default), Some(at)) if all || default.protocol == ListenProtocol::Metrics => {
                    named.push(Listen { at: at.clone(), ..default });
                }
                // Told when all others are opened.
                _ if !all => {}
                (None, Some(At::Path(path))) => return Err(Error::Unnamed(path.clone())),
                _ => return Err(Error::NotConfigured { socket: NO_PATH.to_owned() }),
            }
        }
        Ok(named)
    }

    fn find(&mut self, wanted: &At, directory: &RuntimeDir) -> Option<Queue> {
        let is_it = |bound: &Option<At>| bound.as_ref().is_some_and(|bound| is_at(bound, wanted, directory));
        let at = self.0.iter().position(|(_, bound)| is_it(bound))?;
        Some(self.0.swap_remove(at).0)
    }
}

/// Whether a socket is where one is wanted.
fn is_at(bound: &At, wanted: &At, directory: &RuntimeDir) -> bool {
    match (bound, wanted) {
        (At::Path(bound), At::Path(wanted)) => is_same(bound, &directory.resolve(wanted)),
        (At::Address(bound), At::Address(wanted)) => bound == wanted,
        (At::Path(_), At::Address(_)) | (At::Address(_), At::Path(_)) => false,
    }
}

/// Whether a socket that was passed is for metrics: as written, or by its name.
fn is_for_metrics(bound: Option<&At>, written: &[Listen], directory: &RuntimeDir) -> bool {
    let Some(bound) = bound else { return false };
    if let Some(listen) =
        written.iter().find(|listen| listen.is_written && is_at(bound, &listen.at, directory))
    {
        return listen.protocol == ListenProtocol::Metrics;
    }
    match bound {
        At::Address(_) => true,
        At::Path(path) => {
            let default = ListenProtocol::Metrics.default_listener();
            path.file_name() == default.path().map(Path::as_os_str)
        }
    }
}

/// One path, or two that lead to one socket, such as through /var/run.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || identity(one).is_ok_and(|one| identity(other).is_ok_and(|other| one == other))
}

/// Tells of connectors in force that no MTA can ask about here: where the units alone say which sockets there
/// are, those of an MTA that was not there when they were opened are missing.
pub(super) fn tell_unasked(listeners: &[Listener], snapshot: &Snapshot) {
    let outbound = snapshot.outbound().iter().any(|connector| connector.agreement.mode == Mode::Enforce);
    let inbound = snapshot.inbound().iter().any(|connector| connector.mode == Mode::Enforce);
    for (direction, is_enforced) in [(Direction::Outbound, outbound), (Direction::Inbound, inbound)] {
        if is_enforced && !listeners.iter().any(|listener| listener.protocol.is_about(direction)) {
            let help = "no MTA can ask; if one was installed since, systemctl restart connectord";
            tracing::warn!(%direction, help, "no_socket");
        }
    }
}

/// Opens every listener of the configuration, or none; those for metrics as far as that can be done, because mail does
/// not wait for them.
pub(super) fn open(
    listen: &[Listen],
    mut inherited: Inherited,
    directory: &RuntimeDir,
) -> Result<Vec<Listener>, Error> {
    // A port for metrics says nothing of who makes the sockets of MTAs.
    let all_inherited = inherited.0.iter().any(|(_, at)| !is_for_metrics(at.as_ref(), listen, directory));
    let mut listen = listen.to_vec();
    if !inherited.0.is_empty() {
        let counts = |listen: &Listen| listen.is_written && listen.protocol != ListenProtocol::Metrics;
        let all_named = all_inherited && !listen.iter().any(counts);
        if all_named {
            listen.retain(|listen| listen.is_written);
        }
        listen.extend(inherited.named(&listen, all_named, directory)?);
        if listen.iter().all(|listen| listen.protocol != ListenProtocol::Control) {
            listen.push(ListenProtocol::Control.default_listener());
        }
    }
    let mut listeners: Vec<(Listener, &At)> = Vec::with_capacity(listen.len());
    for wanted in &listen {
        let place = match &wanted.at {
            At::Path(path) => At::Path(directory.resolve(path)),
            address @ At::Address(_) => address.clone(),
        };
        if let At::Path(path) = &place
            && listeners.iter().any(|(_, other)| is_at(&place, other, directory))
        {
            return Err(Error::Twice(path.clone()));
        }
        let passed = inherited.find(&wanted.at, directory);
        let is_inherited = passed.is_some();
        let socket = match (passed, &place) {
            (Some(_), At::Address(address)) if !address.ip().is_loopback() => {
                Err(Error::NotLoopback(*address))
            }
            (Some(queue), _) => Ok(Socket { queue, file: None }),
            (None, At::Path(path)) if all_inherited && wanted.protocol.is_for_mta() => {
                return Err(Error::NotInherited(path.clone()));
            }
            (None, At::Path(path)) => Socket::create(wanted, path.clone()),
            (None, At::Address(address)) => Socket::at(*address),
        };
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) if wanted.protocol == ListenProtocol::Metrics => {
                tracing::error!(%error, "metrics_not_served");
                continue;
            }
            Err(error) => return Err(error),
        };
        let place = match place {
            At::Path(path) => path.display().to_string(),
            At::Address(address) => address.to_string(),
        };
        listeners.push((Listener { protocol: wanted.protocol, place, is_inherited, socket }, &wanted.at));
    }
    match inherited.0.first() {
        None => Ok(listeners.into_iter().map(|(listener, _)| listener).collect()),
        Some((_, Some(At::Path(path)))) => Err(Error::NotConfigured { socket: path.display().to_string() }),
        Some((_, Some(At::Address(address)))) => Err(Error::NotConfigured { socket: address.to_string() }),
        Some((_, None)) => Err(Error::NotConfigured { socket: NO_PATH.to_owned() }),
    }
}

#[cfg(test)]
#[path = "activation_tests.rs"]
mod tests;
