//! The DNS of the lab: NSD on our host's loopback, authoritative for everything.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::{Child, Stdio};
use std::time::Duration;
use std::{fs, io};

use crate::condition::wait_for;
use crate::machine::Machine;
use crate::network::Namespace;

/// Everything that the lab's DNS says.
#[derive(Default)]
pub struct Zone(String);

impl Zone {
    /// Mail for `domain` (an A-label; `*.x` for all below x) goes to `host`; `.` is none (RFC 7505).
    pub fn mx(&mut self, domain: &str, host: &str) {
        let host = host.trim_end_matches('.');
        writeln!(self.0, "{domain}. MX 10 {host}.").unwrap();
    }

    /// `name` is another name for `target`.
    pub fn alias(&mut self, name: &str, target: &str) {
        writeln!(self.0, "{name}. CNAME {target}.").unwrap();
    }

    pub fn address(&mut self, host: &str, address: IpAddr) {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        writeln!(self.0, "{host}. {kind} {address}").unwrap();
    }
}

const CONFIGURATION: &str = r#"
server:
    ip-address: 127.0.0.1
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
    zonefile: "root.zone"
"#;

/// The running server.
pub struct Resolver(Child);

impl Resolver {
    /// Serves `zone`; answers when this returns.
    pub fn start(machine: &Machine, network: &Namespace, zone: &Zone) -> Resolver {
        let directory = machine.directory().join("dns");
        let soa =
            "$TTL 300\n. SOA ns.lab. hostmaster.lab. 1 300 300 300 1\n. NS ns.lab.\nns.lab. A 127.0.0.1\n";
        fs::write(directory.join("root.zone"), format!("{soa}{}", zone.0)).unwrap();
        fs::write(directory.join("nsd.conf"), CONFIGURATION).unwrap();
        let log = fs::File::create(machine.directory().join("log/nsd.log")).unwrap();
        let child = machine
            .command("nsd")
            .args(["-d", "-c", "/etc/nsd/nsd.conf"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let resolver = Resolver(child);
        wait_for("the DNS server", || {
            network.enter(question).map_err(|error| {
                let log = fs::read_to_string(machine.directory().join("log/nsd.log"));
                format!("{error}; {}", log.unwrap_or_default())
            })
        });
        resolver
    }
}

/// Asks for the SOA of the root, and waits a moment for any answer.
fn question() -> io::Result<()> {
    const ROOT_SOA: [u8; 17] = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect((Ipv4Addr::LOCALHOST, 53))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send(&ROOT_SOA)?;
    socket.recv(&mut [0; 512]).map(drop)
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
