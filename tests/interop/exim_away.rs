//! Nobody at Exim's socket, or nobody who listens, and a daemon that is killed under way: mail waits
//! and arrives, none lost, none weaker, and clients are told to come back.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, shutdown, socket,
};

use crate::client::Client;
use crate::daemon::Daemon;
use crate::exim::Exim;
use crate::exim_partners::{agreed, lab};
use crate::lab::{Lab, Mta as _};
use crate::network::{OURS, partner_address};
use crate::on_each_exim;
use crate::root::Release;

const NO_ANSWER: &str = "connectord: no valid answer for this domain";

/// What Exim's socket is like, and why mail waits for a partner as agreed. In all of them other mail
/// waits too, but where the socket is `forbidden`: Exim's routers are root, who is not kept out by
/// that; its transports and ACLs are.
const SOCKETS: [(&str, &str); 6] = [
    ("absent", NO_ANSWER),
    ("refusing", NO_ANSWER),
    ("deaf", NO_ANSWER),
    ("full", NO_ANSWER),
    ("shut", NO_ANSWER),
    ("forbidden", "TLS session: (gnutls_handshake)"),
];

const PARTNERS: [&str; 5] = ["good", "plain", "self", "wrong", "free"];

/// What sits at the socket.
enum Sitter {
    Nobody,
    /// Connections that wait in vain.
    Deaf(#[expect(dead_code, reason = "kept open")] Vec<OwnedFd>),
    Shut(UnixListener),
    Forbidden(#[expect(dead_code, reason = "kept running")] Daemon),
}

impl Sitter {
    fn take(lab: &Lab<Exim>, kind: &str) -> Sitter {
        let path = lab.site.exim();
        let everybody = || fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        match kind {
            "absent" => Sitter::Nobody,
            "refusing" => {
                drop(UnixListener::bind(&path).unwrap());
                everybody();
                Sitter::Nobody
            }
            "deaf" => {
                let listener = UnixListener::bind(&path).unwrap();
                everybody();
                Sitter::Deaf(vec![listener.into()])
            }
            "full" => {
                let sitter = Sitter::Deaf(full(&path));
                everybody();
                sitter
            }
            "shut" => {
                let listener = UnixListener::bind(&path).unwrap();
                everybody();
                let ours = listener.try_clone().unwrap();
                thread::spawn(move || ours.incoming().take_while(Result::is_ok).for_each(drop));
                Sitter::Shut(listener)
            }
            "forbidden" => {
                let daemon = lab.site.serve();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
                Sitter::Forbidden(daemon)
            }
            _ => panic!("no socket is {kind}"),
        }
    }

    /// Leaves nothing at the socket.
    fn leave(self, path: &Path) {
        if let Sitter::Shut(listener) = &self {
            shutdown(listener.as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
        }
        drop(self);
        let _ = fs::remove_file(path);
    }
}

/// A socket with as many connections as it takes, none of them accepted.
fn full(path: &Path) -> Vec<OwnedFd> {
    let address = UnixAddr::new(path).unwrap();
    let new = |flags| socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    let listener = new(SockFlag::SOCK_CLOEXEC);
    bind(listener.as_raw_fd(), &address).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    let mut sockets = vec![listener];
    loop {
        let client = new(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
        match connect(client.as_raw_fd(), &address) {
            Ok(()) => sockets.push(client),
            Err(Errno::EAGAIN) => return sockets,
            Err(error) => panic!("{error}"),
        }
    }
}

/// What a client is told at RCPT, or before.
fn reply(lab: &Lab<Exim>) -> String {
    let mut client = Client::connect(&lab.network.partner, partner_address(77), IpAddr::V4(OURS));
    client.expect("250", "EHLO mx.partner.example");
    let reply = client.ask("MAIL FROM:<bob@partner.example>");
    if reply.starts_with("250") { client.ask("RCPT TO:<carol@ours.example>") } else { reply }
}

/// Exim's own word about an address: not "failed" (2), but "later" (1), and why.
fn told_later(lab: &Lab<Exim>, recipient: &str) {
    for option in ["-bv", "-bt"] {
        let output = lab.machine.output("exim4", &[option, recipient]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{option} {recipient}: {said}");
        assert!(said.contains("cannot be resolved at this time"), "{option} {recipient}: {said}");
        assert!(said.contains(NO_ANSWER), "{option} {recipient}: {said}");
    }
}

fn t3_x5_away(release: Release) {
    let (lab, connectors) = lab(release, &[]);
    lab.site.configure(&connectors);
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (kind, reason) in SOCKETS {
        let sitter = Sitter::take(&lab, kind);
        let recipients = PARTNERS.map(|partner| format!("user@{kind}.{partner}.example"));
        let answered = agreed(recipients.iter().map(String::as_str));
        let waiting = recipients.iter().map(|recipient| {
            let fate = match recipient.rsplit('.').nth(1) {
                Some("plain" | "free") if kind == "forbidden" => answered[recipient].clone(),
                _ => format!("D {reason}"),
            };
            (recipient.clone(), fate)
        });
        lab.mta.enqueue(&lab.machine, recipients.iter().map(String::as_str));
        lab.mta.try_all(&lab.machine);
        lab.met(&waiting.collect());
        lab.mta.nothing_lost(&lab.machine);
        assert_eq!(reply(&lab), "451 4.3.5 policy service unavailable, try again later", "{kind}");
        if kind == "absent" {
            told_later(&lab, "user@absent.good.example");
            told_later(&lab, "user@absent.free.example");
        }
        sitter.leave(&lab.site.exim());
        all.extend(answered);
    }

    let _daemon = lab.site.serve();
    lab.mta.flush(&lab.machine);
    lab.met(&all);
    lab.mta.nothing_lost(&lab.machine);
    assert_eq!(reply(&lab), "250 Accepted");
}

/// How often the daemon is restarted at least while mail goes out, and mail for each partner.
const RESTARTS: u32 = 6;
const MESSAGES: u32 = 15;

fn f15_x5_restarted(release: Release) {
    let (lab, connectors) = lab(release, &[]);
    lab.site.configure(&connectors);
    let recipients: Vec<String> = (0..MESSAGES)
        .flat_map(|number| {
            ["good", "pin", "wrong", "plain", "free"]
                .map(|partner| format!("user@load{number}.{partner}.example"))
        })
        .collect();
    let load = agreed(recipients.iter().map(String::as_str));
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            lab.mta.submit(&lab.machine, &lab.network, recipients.iter().map(String::as_str));
        });
        let mut restarts = 0;
        let mut daemon = lab.site.serve();
        while restarts < RESTARTS || !sender.is_finished() {
            if restarts % 2 == 0 {
                daemon.kill();
            } else {
                assert!(daemon.stop().success(), "{}", lab.site.log());
            }
            daemon = lab.site.serve();
            restarts += 1;
        }
        sender.join().unwrap();
        lab.mta.nothing_lost(&lab.machine);
        lab.mta.flush(&lab.machine);
        lab.met(&load);
    });
    lab.mta.nothing_lost(&lab.machine);
    let mut arrived: Vec<String> = lab.partner.mail().into_iter().flat_map(|mail| mail.recipients).collect();
    let copies = arrived.len();
    arrived.sort();
    arrived.dedup();
    assert_eq!(arrived.len(), copies, "more than once: {:?}", lab.partner.mail());
}

on_each_exim!(t3_x5_away, f15_x5_restarted);
