//! `doctor exim` about DANE: TLSA records that take the place of the chain that was agreed.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::certificates::{Authority, Subject};
use crate::exim_practice::Practice;
use crate::lab::Lab;
use crate::machine::Machine;
use crate::network::Namespace;
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "chain"
mode = "enforce"
domains = ["chain.example"]
tls = "secure"
match = ["mx.chain.example"]
"#;

/// Where the machine asks for names, and who knows them.
const ASKED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const KNOWS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The bit AD, "authentic data", in the fourth octet of an answer (RFC 4035 section 3.2.3).
const AUTHENTIC: u8 = 0x20;

/// A resolver that says of every answer that it has validated it.
pub struct Validator {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Validator {
    pub fn start(machine: &Machine, network: &Namespace) -> Validator {
        let bind = |address: Ipv4Addr, port: u16| {
            let socket = network.enter(|| UdpSocket::bind((address, port))).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            socket
        };
        let (asked, asks) = (bind(ASKED, 53), bind(KNOWS, 0));
        asks.connect((KNOWS, 53)).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let thread = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !ends.load(Ordering::Relaxed) {
                let Ok((length, from)) = asked.recv_from(&mut bytes) else { continue };
                asks.send(&bytes[..length]).unwrap();
                let Ok(length) = asks.recv(&mut bytes) else { continue };
                bytes[3] |= AUTHENTIC;
                let _ = asked.send_to(&bytes[..length], from);
            }
        });
        let text = format!("nameserver {ASKED}\noptions edns0 trust-ad\n");
        fs::write(machine.directory().join("resolv.conf"), text).unwrap();
        Validator { is_over, thread: Some(thread) }
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn x2_instead(release: Release) {
    let authority = Authority::new("Lab CA");
    let own = Subject::server(&["mx.chain.example"]).self_signed();
    let host =
        Host { name: "mx.chain.example".to_owned(), number: 10, starttls: Starttls::Works(own.server()) };
    let mut zone = Zone::default();
    zone.mx("chain.example", &host.name);
    zone.record("_25._tcp.mx.chain.example", &format!("TLSA 3 1 1 {}", own.key_digest()));
    let practice = Practice::new(Lab::start(release, &authority, &[host], zone, &[]));
    practice.agree(CONNECTORS);
    let _validator = Validator::start(&practice.lab.machine, &practice.lab.network.ours);
    let _daemon = practice.lab.site.serve();
    practice.is_well();
    for (name, made_by, value) in [
        ("default", "/hosts_try_dane/d", "*"),
        ("required", "s/hosts_try_dane =/hosts_require_dane = *\\n  &/", ""),
    ] {
        practice.with_files_restored(|| {
            practice.shell(&format!(
                "sed -i '/^connectord_cert:/,/^$/{{{made_by}}}' /etc/exim4/connectord/transports; update-exim4.conf"
            ));
            practice.send(&format!("with-{name}@chain.example"), "T mx.chain.example:25");
            let place = format!("transport connectord_cert: hosts_try_dane = {value}");
            practice.is_mended("exim-dane-instead", &place, &["chain"]);
            practice.send(&format!("without-{name}@chain.example"), "D TLS session: (certificate verification failed)");
        });
    }
}

on_each_exim!(x2_instead);
