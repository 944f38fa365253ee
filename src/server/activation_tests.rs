//! Sockets that are passed, and those that are not.

#![allow(clippy::unwrap_used)]
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;

fn listen(protocol: ListenProtocol) -> Listen {
    Listen { mode: 0o600, is_written: true, ..protocol.default_listener() }
}

fn bound(path: PathBuf) -> (Queue, Option<At>) {
    (Queue::Unix(UnixListener::bind(&path).unwrap()), Some(At::Path(path)))
}

/// What was opened, and where.
fn opened(listeners: &[Listener]) -> Vec<(ListenProtocol, String)> {
    listeners.iter().map(|listener| (listener.protocol, listener.place.clone())).collect()
}

#[test]
fn one_without_the_other_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let directory = RuntimeDir::claim(parent.path()).unwrap();
    let at = |name: &str| directory.resolve(Path::new(name));
    let wanted =
        [listen(ListenProtocol::Socketmap), listen(ListenProtocol::Policy), listen(ListenProtocol::Control)];

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
    let expected = [
        (ListenProtocol::Policy, at("policy.sock")),
        (ListenProtocol::Exim, at("exim.sock")),
        (ListenProtocol::Control, directory.resolve(Path::new("control.sock"))),
    ];
    let expected = expected.map(|(protocol, path)| (protocol, path.display().to_string()));
    assert_eq!(opened(&listeners), expected);
    drop(listeners);

    for sockets in [&["socketmap.sock", "mta.sock"][..], &["policy", "control.sock"]] {
        let passed = sockets.iter().map(|name| bound(at(name))).collect();
        let error = open(&Listen::defaults(), Inherited(passed), &directory).unwrap_err();
        assert!(matches!(&error, Error::Unnamed(path) if path.starts_with(at(""))), "{error}");
    }
    assert!(!directory.resolve(Path::new("control.sock")).exists());
    let elsewhere = UnixListener::bind(at("socketmap.sock.old")).unwrap();
    let error =
        open(&Listen::defaults(), Inherited(vec![(Queue::Unix(elsewhere), None)]), &directory).unwrap_err();
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
        Listen { at: At::Path("./policy.sock".into()), ..listen(ListenProtocol::Control) },
    ];
    assert!(matches!(open(&wanted, Inherited(Vec::new()), &directory), Err(Error::Twice(_))));
}

/// A port of this host, and what it is to be taken for.
fn port(ip: &str) -> (Queue, Option<At>) {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (Queue::Tcp(listener), Some(At::Address(address)))
}

#[test]
fn a_passed_port_is_for_metrics_whatever_is_written() {
    for is_written in [false, true] {
        let parent = tempfile::tempdir().unwrap();
        let directory = RuntimeDir::claim(parent.path()).unwrap();
        let at = |name: &str| directory.resolve(Path::new(name));
        let written = if is_written { vec![listen(ListenProtocol::Policy)] } else { Listen::defaults() };
        let passed = vec![bound(at("policy.sock")), port("127.0.0.1"), bound(at("metrics.sock"))];
        let listeners = open(&written, Inherited(passed), &directory).unwrap();
        let protocols: Vec<_> = opened(&listeners).into_iter().map(|(protocol, _)| protocol).collect();
        let [metrics, control] = [ListenProtocol::Metrics, ListenProtocol::Control];
        assert_eq!(protocols, [ListenProtocol::Policy, metrics, metrics, control], "{is_written}");
    }
}

#[test]
fn metrics_alone_leave_the_sockets_of_mtas_to_the_units() {
    let parent = tempfile::tempdir().unwrap();
    let directory = RuntimeDir::claim(parent.path()).unwrap();
    let path = directory.resolve(Path::new("exim.sock"));
    let mut written = Listen::defaults();
    written.push(listen(ListenProtocol::Metrics));
    let listeners = open(&written, Inherited(vec![bound(path)]), &directory).unwrap();
    let protocols: Vec<_> = opened(&listeners).into_iter().map(|(protocol, _)| protocol).collect();
    assert_eq!(protocols, [ListenProtocol::Metrics, ListenProtocol::Exim, ListenProtocol::Control]);
}

#[test]
fn a_passed_port_alone_leaves_the_other_sockets_to_the_daemon() {
    let [policy, metrics, control] =
        [ListenProtocol::Policy, ListenProtocol::Metrics, ListenProtocol::Control];
    let written = vec![listen(policy), listen(control)];
    for wanted in [written, Listen::defaults()] {
        let parent = tempfile::tempdir().unwrap();
        let directory = RuntimeDir::claim(parent.path()).unwrap();
        let listeners = open(&wanted, Inherited(vec![port("127.0.0.1")]), &directory).unwrap();
        let protocols: Vec<_> = opened(&listeners).into_iter().map(|(protocol, _)| protocol).collect();
        let expected: Vec<_> = wanted.iter().map(|listen| listen.protocol).chain([metrics]).collect();
        assert_eq!(protocols, expected);
        let ours = listeners.iter().filter(|listener| listener.protocol != metrics);
        assert!(ours.clone().count() >= 2 && ours.into_iter().all(|one| one.socket.file.is_some()));
    }
}

#[test]
fn mail_does_not_wait_for_metrics() {
    let parent = tempfile::tempdir().unwrap();
    let directory = RuntimeDir::claim(parent.path()).unwrap();
    let (taken, at) = port("127.0.0.1");
    let (open_to_all, _) = port("0.0.0.0");
    let at = at.unwrap();
    let metrics = Listen { at, ..listen(ListenProtocol::Metrics) };
    let nowhere = Listen { at: At::Path("no/such.sock".into()), ..metrics.clone() };
    let written = [metrics, nowhere, listen(ListenProtocol::Policy), listen(ListenProtocol::Control)];
    let listeners = open(&written, Inherited(Vec::new()), &directory).unwrap();
    let protocols: Vec<_> = opened(&listeners).into_iter().map(|(protocol, _)| protocol).collect();
    assert_eq!(protocols, [ListenProtocol::Policy, ListenProtocol::Control]);
    drop((listeners, taken));

    let Queue::Tcp(listener) = &open_to_all else { panic!("{open_to_all:?}") };
    let address = At::Address(listener.local_addr().unwrap());
    let path = directory.resolve(Path::new("policy.sock"));
    let passed = vec![bound(path), (open_to_all, Some(address))];
    let listeners = open(&Listen::defaults(), Inherited(passed), &directory).unwrap();
    assert_eq!(listeners.len(), 2, "{listeners:?}");
}
