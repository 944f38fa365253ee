//! DNSSEC in the lab: the one zone is signed, and Unbound validates it before our host.

use std::fmt::Write;
use std::fs;
use std::process::Child;

use crate::machine::Machine;
use crate::resolver::daemon;

/// `PORT` stands for that of the authoritative server, `ANCHORS` for what is trusted.
const CONFIGURATION: &str = r#"
server:
    interface: 127.0.0.1
    username: ""
    chroot: ""
    directory: "/etc/nsd"
    pidfile: ""
    use-syslog: no
    num-threads: 1
    do-not-query-localhost: no
    module-config: "validator iterator"
    val-log-level: 2
ANCHORS
remote-control:
    control-enable: no
stub-zone:
    name: "."
    stub-addr: 127.0.0.1@PORT
"#;

/// A DS record of a key that nobody has.
const WRONG_KEY: &str = "DS 12345 13 2 0000000000000000000000000000000000000000000000000000000000000000";

/// How a zone is signed, and what the resolver makes of parts of it.
#[derive(Default)]
pub struct Signing {
    /// Domains for which the resolver does not look at signatures.
    pub insecure: Vec<&'static str>,
    /// Domains whose signatures the resolver cannot believe: it answers SERVFAIL.
    pub bogus: Vec<&'static str>,
}

impl Signing {
    /// Signs a zone file in the DNS directory; the DS record of the key.
    pub fn sign(&self, machine: &Machine, file: &str) -> String {
        const SIGN: &str = "cd /etc/nsd && key=$(ldns-keygen -a ECDSAP256SHA256 -k .) && \
            ldns-signzone -o . \"$1\" \"$key\" && cat \"$key.ds\"";
        machine.run("sh", &["-c", SIGN, "sh", file])
    }
}

/// The running Unbound.
pub struct Validator(Child);

impl Validator {
    /// Trusts `anchor` and asks the server at `port`.
    pub fn start(machine: &Machine, signing: &Signing, anchor: &str, port: u16) -> Validator {
        let mut anchors = format!("    trust-anchor: \"{}\"", anchor.trim().replace('\t', " "));
        for domain in &signing.insecure {
            write!(anchors, "\n    domain-insecure: \"{domain}\"").unwrap();
        }
        for domain in &signing.bogus {
            write!(anchors, "\n    trust-anchor: \"{domain}. {WRONG_KEY}\"").unwrap();
        }
        let configuration = CONFIGURATION.replace("ANCHORS", &anchors).replace("PORT", &port.to_string());
        fs::write(machine.directory().join("dns/unbound.conf"), configuration).unwrap();
        Validator(daemon(machine, "unbound", &["-d", "-c", "/etc/nsd/unbound.conf"]))
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
