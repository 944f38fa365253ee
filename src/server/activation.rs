//! Sockets inherited from systemd (sd_listen_fds(3)), matched with the configuration by path.
//!
//! Either all are inherited or none: a socket unit and a configuration that disagree would leave
//! an MTA asking a socket that nobody serves, so that is an error at start. Only the control
//! socket, which is always there whether configured or not, is made by us when it is not passed.
//! Where no `[[listen]]` is written the units alone say which sockets there are, each by its
//! name: a host has those of its MTA.
//!
//! An inherited socket has the owner and mode of its unit, stays when we go (connections wait in
//! it for the next start), and is neither watched nor removed.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;

use super::error::Error;
use super::runtime_dir::RuntimeDir;
use super::socket::{Socket, identity};
use crate::config::{Listen, ListenProtocol};
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
    pub(super) path: PathBuf,
    /// The socket.
    pub(super) socket: Socket,
}

/// The sockets that systemd passed, in its order.
#[derive(Debug)]
pub(super) struct Inherited(Vec<(UnixListener, Option<PathBuf>)>);

impl Inherited {
    /// Takes them from the environment; to be called once, before anything opens a descriptor.
    pub(super) fn take() -> Result<Inherited, Error> {
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::with_capacity(passed.len());
        for index in 0..passed.len() {
            let listener = passed.take_unix_listener(index);
            let listener =
                listener.map_err(|source| Error::process("take over a socket from systemd", source))?;
            if let Some(listener) = listener {
                let set = listener.set_nonblocking(true);
                set.map_err(|source| Error::process("set up a socket from systemd", source))?;
                let address = listener.local_addr().ok();
                let path = address.and_then(|address| address.as_pathname().map(Path::to_owned));
                sockets.push((listener, path));
            }
        }
        Ok(Inherited(sockets))
    }

    /// What is to be spoken on each of them by its name.
    fn named(&self) -> Result<Vec<Listen>, Error> {
        let default = |path: &Path| {
            let mut defaults = Listen::defaults().into_iter();
            defaults.find(|listen| path.file_name() == Some(listen.path.as_os_str()))
        };
        let named = self.0.iter().map(|(_, path)| match path {
            Some(path) => match default(path) {
                Some(listen) => Ok(Listen { path: path.clone(), ..listen }),
                None => Err(Error::Unnamed(path.clone())),
            },
            None => Err(Error::NotConfigured { socket: NO_PATH.to_owned() }),
        });
        let mut named: Vec<Listen> = named.collect::<Result<_, _>>()?;
        if named.iter().all(|listen| listen.protocol != ListenProtocol::Control) {
            named
                .extend(Listen::defaults().into_iter().filter(|own| own.protocol == ListenProtocol::Control));
        }
        Ok(named)
    }

    fn find(&mut self, path: &Path) -> Option<UnixListener> {
        let at = self
            .0
            .iter()
            .position(|(_, bound)| bound.as_deref().is_some_and(|bound| is_same(bound, path)))?;
        Some(self.0.swap_remove(at).0)
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

/// Opens every listener of the configuration, or none.
pub(super) fn open(
    listen: &[Listen],
    mut inherited: Inherited,
    directory: &RuntimeDir,
) -> Result<Vec<Listener>, Error> {
    let all_inherited = !inherited.0.is_empty();
    let is_written = listen.iter().any(|listen| listen.is_written);
    let named = if all_inherited && !is_written { Some(inherited.named()?) } else { None };
    let listen = named.as_deref().unwrap_or(listen);
    let mut listeners: Vec<Listener> = Vec::with_capacity(listen.len());
    for wanted in listen {
        let path = directory.resolve(&wanted.path);
        if listeners.iter().any(|other| is_same(&other.path, &path)) {
            return Err(Error::Twice(path));
        }
        let socket = match inherited.find(&path) {
            Some(listener) => Socket { listener, file: None },
            None if all_inherited && wanted.protocol != ListenProtocol::Control => {
                return Err(Error::NotInherited(path));
            }
            None => Socket::create(wanted, path.clone())?,
        };
        listeners.push(Listener { protocol: wanted.protocol, path, socket });
    }
    match inherited.0.first() {
        None => Ok(listeners),
        Some((_, Some(path))) => Err(Error::NotConfigured { socket: path.display().to_string() }),
        Some((_, None)) => Err(Error::NotConfigured { socket: NO_PATH.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn listen(protocol: ListenProtocol) -> Listen {
        let path = format!("{}.sock", protocol.word()).into();
        Listen { protocol, path, group: None, mode: 0o600, is_written: true }
    }

    fn bound(path: PathBuf) -> (UnixListener, Option<PathBuf>) {
        (UnixListener::bind(&path).unwrap(), Some(path))
    }

    #[test]
    fn one_without_the_other_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let directory = RuntimeDir::claim(parent.path()).unwrap();
        let at = |name: &str| directory.resolve(Path::new(name));
        let wanted = [
            listen(ListenProtocol::Socketmap),
            listen(ListenProtocol::Policy),
            listen(ListenProtocol::Control),
        ];

        let missing = open(&wanted, Inherited(vec![bound(at("socketmap.sock"))]), &directory).unwrap_err();
        assert!(matches!(&missing, Error::NotInherited(path) if *path == at("policy.sock")), "{missing}");
        assert!(at("socketmap.sock").exists(), "it is systemd's");
        std::fs::remove_file(at("socketmap.sock")).unwrap();

        let sockets = ["socketmap.sock", "policy.sock", "other.sock"].map(|name| bound(at(name)));
        let surplus = open(&wanted, Inherited(sockets.into()), &directory).unwrap_err();
        assert!(
            matches!(&surplus, Error::NotConfigured { socket } if *socket == at("other.sock").display().to_string())
        );
        assert!(!at("control.sock").exists(), "what we made is removed again");
    }

    #[test]
    fn without_a_listen_a_socket_is_what_its_name_says() {
        let parent = tempfile::tempdir().unwrap();
        let directory = RuntimeDir::claim(parent.path()).unwrap();
        std::fs::create_dir(parent.path().join("queue")).unwrap();
        let at = |name: &str| parent.path().join("queue").join(name);
        let passed = ["policy.sock", "exim.sock"].map(|name| bound(at(name)));
        let listeners = open(&Listen::defaults(), Inherited(passed.into()), &directory).unwrap();
        let opened: Vec<_> =
            listeners.iter().map(|listener| (listener.protocol, listener.path.clone())).collect();
        let expected = [
            (ListenProtocol::Policy, at("policy.sock")),
            (ListenProtocol::Exim, at("exim.sock")),
            (ListenProtocol::Control, directory.resolve(Path::new("control.sock"))),
        ];
        assert_eq!(opened, expected);
        drop(listeners);

        for sockets in [&["socketmap.sock", "mta.sock"][..], &["policy", "control.sock"]] {
            let passed = sockets.iter().map(|name| bound(at(name))).collect();
            let error = open(&Listen::defaults(), Inherited(passed), &directory).unwrap_err();
            assert!(matches!(&error, Error::Unnamed(path) if path.starts_with(at(""))), "{error}");
        }
        assert!(!directory.resolve(Path::new("control.sock")).exists());
        let elsewhere = UnixListener::bind(at("socketmap.sock.old")).unwrap();
        let error = open(&Listen::defaults(), Inherited(vec![(elsewhere, None)]), &directory).unwrap_err();
        assert!(matches!(error, Error::NotConfigured { .. }), "{error}");
    }

    #[test]
    fn two_of_one_name_are_two_listeners() {
        let parent = tempfile::tempdir().unwrap();
        let directory = RuntimeDir::claim(parent.path()).unwrap();
        let passed = ["one", "two"].map(|name| {
            std::fs::create_dir(parent.path().join(name)).unwrap();
            bound(parent.path().join(name).join("socketmap.sock"))
        });
        let listeners = open(&Listen::defaults(), Inherited(passed.into()), &directory).unwrap();
        assert_eq!(listeners.len(), 3);
    }

    #[test]
    fn the_control_socket_is_ours_when_it_is_not_passed() {
        let parent = tempfile::tempdir().unwrap();
        let directory = RuntimeDir::claim(parent.path()).unwrap();
        let at = |name: &str| directory.resolve(Path::new(name));
        let wanted = [listen(ListenProtocol::Policy), listen(ListenProtocol::Control)];
        let listeners = open(&wanted, Inherited(vec![bound(at("policy.sock"))]), &directory).unwrap();
        let files: Vec<bool> = listeners.iter().map(|listener| listener.socket.file.is_some()).collect();
        assert_eq!(files, [false, true]);
        drop(listeners);
        assert!(at("policy.sock").exists());
        assert!(!at("control.sock").exists());
    }

    #[test]
    fn one_path_twice_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let directory = RuntimeDir::claim(parent.path()).unwrap();
        let wanted = [
            listen(ListenProtocol::Policy),
            Listen { path: "./policy.sock".into(), ..listen(ListenProtocol::Control) },
        ];
        assert!(matches!(open(&wanted, Inherited(Vec::new()), &directory), Err(Error::Twice(_))));
    }
}
