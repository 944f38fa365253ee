//! `connectord validate` and very many: addresses that never answer, and partners that answer slowly.
//!
//! All are on the loopback of our own host: 127.0.0.0/8 has addresses enough.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{Shutdown, shutdown};

use crate::certificates::{Authority, Subject};
use crate::examiner::{Absent, Examiner};
use crate::lab::Lab;
use crate::network::Namespace;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::{POSTFIX_3_10, possible};

/// Hosts of the partner that never answers, and addresses of each.
const HOSTS: u8 = 10;
const ADDRESSES: u8 = 100;

/// Slow partners, and how long each thinks before every reply.
const PARTNERS: u8 = 200;
const LATENCY: Duration = Duration::from_millis(50);

/// Connections that a Postfix takes of one client (`smtpd_client_connection_count_limit`).
const POSTFIX_TAKES: usize = 50;

/// Every address of our host.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 25);

/// Takes connections and says nothing.
struct Tarpit(TcpListener);

impl Tarpit {
    fn open(network: &Namespace) -> Tarpit {
        let listener = network.enter(|| TcpListener::bind(ANY)).unwrap();
        let tarpit = Tarpit(listener.try_clone().unwrap());
        thread::spawn(move || {
            // Until the listener was shut down.
            let _held: Vec<TcpStream> = listener.incoming().map_while(Result::ok).collect();
        });
        tarpit
    }
}

impl Drop for Tarpit {
    fn drop(&mut self) {
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }
}

#[test]
fn a_thousand_addresses_that_never_answer() {
    if !possible() {
        return;
    }
    let authority = Authority::new("Lab CA");
    let mut zone = Zone::default();
    for host in 1..=HOSTS {
        let name = format!("mx{host}.crowd.example");
        zone.mx("crowd.example", &name);
        for number in 1..=ADDRESSES {
            zone.address(&name, Ipv4Addr::new(127, 1, host, number).into());
        }
    }
    // A partner that is well, behind the crowd in the configuration.
    zone.mx("good.example", "mx.good.example");
    let starttls = Starttls::Works(authority.issue(Subject::server(&["mx.good.example"])).server());
    let good = Host { name: "mx.good.example".to_owned(), number: 10, starttls };
    let lab: Lab<Absent> = Lab::start(POSTFIX_3_10, &authority, &[good], zone, &[]);
    let connectors = ["crowd", "good"].map(|name| {
        format!(
            "[[outbound]]\nname = \"{name}\"\nmode = \"enforce\"\ndomains = [\"{name}.example\"]\ntls = \"encrypt\"\n"
        )
    });
    lab.site.configure(&connectors.concat());
    let _tarpit = Tarpit::open(&lab.network.ours);

    let begin = Instant::now();
    let ended = Examiner::of(&lab).validate(&["--all", "--timeout", "5", "--json"]);
    eprintln!(
        "{} addresses with --timeout 5: {:?}",
        u32::from(HOSTS) * u32::from(ADDRESSES),
        begin.elapsed()
    );
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report = ended.json();
    let addresses = report["connectors"][0]["addresses"].as_array().unwrap();
    assert_eq!(addresses.len(), usize::from(HOSTS) * usize::from(ADDRESSES));
    for address in addresses {
        assert_eq!(address["code"], "out-of-time", "{address}");
        assert_eq!(address["verdict"], "fail", "{address}");
    }
    assert_eq!(report["connectors"][1]["verdict"], "pass", "{}", report["connectors"][1]);
}

/// A lab with slow partners at addresses of our own loopback.
fn slow_partners(address: fn(u8) -> Ipv4Addr) -> Lab<Absent> {
    let authority = Authority::new("Lab CA");
    let mut zone = Zone::default();
    let mut connectors = String::new();
    let mut names = Vec::new();
    for partner in 1..=PARTNERS {
        let (domain, name) = (format!("slow{partner}.example"), format!("mx.slow{partner}.example"));
        zone.mx(&domain, &name);
        zone.address(&name, address(partner).into());
        write!(
            connectors,
            "[[outbound]]\nname = \"slow{partner}\"\nmode = \"enforce\"\ndomains = [\"{domain}\"]\n\
             tls = \"secure\"\nmatch = [\"{name}\"]\n"
        )
        .unwrap();
        names.push(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let starttls = Starttls::Works(authority.issue(Subject::server(&names)).server());
    let mut lab: Lab<Absent> = Lab::start(POSTFIX_3_10, &authority, &[], zone, &[]);
    lab.site.configure(&connectors);
    let host = Host { name: "mx.slow.example".to_owned(), number: 10, starttls };
    lab.partner.listen(&lab.network.ours, &host, ANY, LATENCY);
    lab
}

fn all_pass(lab: &Lab<Absent>) {
    let begin = Instant::now();
    let ended = Examiner::of(lab).validate(&["--all", "--json"]);
    eprintln!(
        "{PARTNERS} partners, {LATENCY:?} before each reply: {:?}, {} sessions at a time",
        begin.elapsed(),
        lab.partner.most_sessions()
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.json();
    assert_eq!(report["verdict"], "pass");
    let connectors = report["connectors"].as_array().unwrap();
    assert_eq!(connectors.len(), usize::from(PARTNERS));
    for connector in connectors {
        let addresses = connector["addresses"].as_array().unwrap();
        assert_eq!((addresses.len(), &addresses[0]["code"]), (1, &"ok".into()), "{connector}");
    }
}

#[test]
fn two_hundred_slow_partners() {
    if possible() {
        all_pass(&slow_partners(|partner| Ipv4Addr::new(127, 2, 0, partner)));
    }
}

/// All of them behind one filter: nobody takes every connection of one client.
#[test]
fn two_hundred_partners_at_one_address() {
    if possible() {
        let lab = slow_partners(|_| Ipv4Addr::new(127, 2, 0, 1));
        all_pass(&lab);
        let most = lab.partner.most_sessions();
        assert!((2..=POSTFIX_TAKES).contains(&most), "{most} sessions at a time");
    }
}
