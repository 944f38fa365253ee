//! The DNS of the lab: NSD on our host's loopback, authoritative for everything; for a signed zone
//! Unbound before it, which validates.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use std::{fs, io};

use crate::condition::wait_for;
use crate::dnssec::{Signing, Validator};
use crate::machine::Machine;
use crate::network::Namespace;

/// Everything that the lab's DNS says.
#[derive(Default)]
pub struct Zone {
    records: String,
    signing: Option<Signing>,
}

impl Zone {
    /// A zone that is signed, behind a resolver that validates.
    pub fn signed(signing: Signing) -> Zone {
        Zone { records: String::new(), signing: Some(signing) }
    }

    /// Mail for `domain` (an A-label; `*.x` for all below x) goes to `host`; `.` is none (RFC 7505).
    pub fn mx(&mut self, domain: &str, host: &str) {
        self.record(domain, &format!("MX 10 {}.", host.trim_end_matches('.')));
    }

    /// `name` is another name for `target`.
    pub fn alias(&mut self, name: &str, target: &str) {
        self.record(name, &format!("CNAME {target}."));
    }

    pub fn address(&mut self, host: &str, address: IpAddr) {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        self.record(host, &format!("{kind} {address}"));
    }

    /// Writes the configuration of NSD and what it serves, as they are in /etc/nsd, for a host that has no
    /// other resolver.
    pub fn write(&self, directory: &Path) {
        self.write_for(directory, PORT, SERVED);
    }

    fn write_for(&self, directory: &Path, port: u16, file: &str) {
        let soa =
            "$TTL 300\n. SOA ns.lab. hostmaster.lab. 1 300 300 300 1\n. NS ns.lab.\nns.lab. A 127.0.0.1\n";
        fs::write(directory.join(SERVED), format!("{soa}{}", self.records)).unwrap();
        let configuration = CONFIGURATION.replace("PORT", &port.to_string()).replace("ZONE", file);
        fs::write(directory.join("nsd.conf"), configuration).unwrap();
    }

    /// Any record: its type and data.
    pub fn record(&mut self, owner: &str, record: &str) {
        writeln!(self.records, "{owner}. {record}").unwrap();
    }
}

/// `PORT` stands for the port, `ZONE` for the file.
const CONFIGURATION: &str = r#"
server:
    ip-address: 127.0.0.1@PORT
    username: ""
    chroot: ""
    zonesdir: "/etc/nsd"
    zonelistfile: "/run/nsd.list"
    database: ""
    xfrdfile: ""
    pidfile: ""
    server-count: 1
remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: "ZONE"
"#;

/// The file of the zone.
const SERVED: &str = "root.zone";

/// The port of whoever is asked, and that of NSD when Unbound is asked.
const PORT: u16 = 53;
const BEHIND: u16 = 5353;

/// The running servers; Unbound ends first.
pub struct Resolver {
    _validator: Option<Validator>,
    nsd: Child,
}

impl Resolver {
    /// Serves `zone`; answers when this returns.
    pub fn start(machine: &Machine, network: &Namespace, zone: &Zone) -> Resolver {
        let directory = machine.directory().join("dns");
        match zone.signing {
            None => zone.write(&directory),
            Some(_) => zone.write_for(&directory, BEHIND, &format!("{SERVED}.signed")),
        }
        let anchor = zone.signing.as_ref().map(|signing| (signing, signing.sign(machine, SERVED)));
        let port = if anchor.is_some() { BEHIND } else { PORT };
        let nsd = daemon(machine, "nsd", &["-d", "-c", "/etc/nsd/nsd.conf"]);
        await_answer(machine, network, port, "nsd");
        let validator = anchor.map(|(signing, anchor)| Validator::start(machine, signing, &anchor, BEHIND));
        if validator.is_some() {
            await_answer(machine, network, PORT, "unbound");
        }
        Resolver { _validator: validator, nsd }
    }
}

/// A server on the machine, with a log of its own.
pub fn daemon(machine: &Machine, program: &str, arguments: &[&str]) -> Child {
    let log = fs::File::create(log(machine, program)).unwrap();
    let mut command = machine.command(program);
    command.args(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn log(machine: &Machine, program: &str) -> PathBuf {
    machine.directory().join(format!("log/{program}.log"))
}

fn await_answer(machine: &Machine, network: &Namespace, port: u16, program: &str) {
    wait_for(program, || {
        network.enter(|| question(port)).map_err(|error| {
            let log = fs::read_to_string(log(machine, program));
            format!("{error}; {}", log.unwrap_or_default())
        })
    });
}

/// Asks for the SOA of the root, and waits a moment for any answer.
fn question(port: u16) -> io::Result<()> {
    const ROOT_SOA: [u8; 17] = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send(&ROOT_SOA)?;
    socket.recv(&mut [0; 512]).map(drop)
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.nsd.kill();
        let _ = self.nsd.wait();
    }
}
