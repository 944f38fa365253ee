//! The commands of contrib/exim/README.md, on a host where Exim runs already.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::process::Command;

use crate::certificates::Authority;
use crate::client::Client;
use crate::condition::wait_for;
use crate::exim::{CONTRIB, Exim, MACROS, SITE};
use crate::lab::{Lab, Mta, Queued};
use crate::machine::Machine;
use crate::network::{Network, OURS, partner_address};
use crate::newcomer::{blocks, commands};
use crate::on_each_exim;
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[inbound]]
name = "contoso-in"
mode = "enforce"
identify.domains = ["contoso.example"]
require.tls = true
on_violation = "reject"
"#;

/// Debian's Exim, which knows nothing of us.
pub struct Untouched(pub Exim);

impl Mta for Untouched {
    fn start(machine: &Machine, network: &Network, _: &[&str]) -> Untouched {
        let etc = machine.directory().join("etc");
        fs::write(etc.join("update-exim4.conf.conf"), SITE).unwrap();
        fs::write(etc.join("conf.d/main/000_localmacros"), MACROS).unwrap();
        machine.run("update-exim4.conf", &[]);
        Untouched(Exim::listening(machine, network))
    }

    fn submit<'r>(
        &self,
        machine: &Machine,
        network: &Network,
        recipients: impl IntoIterator<Item = &'r str>,
    ) {
        self.0.submit(machine, network, recipients);
    }

    fn queue(&self, machine: &Machine) -> Vec<Queued> {
        self.0.queue(machine)
    }
}

/// What a client in plaintext is told at MAIL.
fn told(lab: &Lab<Untouched>) -> io::Result<String> {
    let mut client = Client::try_connect(&lab.network.partner, partner_address(77), IpAddr::V4(OURS))?;
    let greeted = client.try_ask("EHLO mx.contoso.example")?;
    assert!(greeted.starts_with("250"), "{greeted}");
    client.try_ask("MAIL FROM:<bob@contoso.example>")
}

fn t3_on_a_running_exim(release: Release) {
    let authority = Authority::new("Lab CA");
    let lab: Lab<Untouched> = Lab::start(release, &authority, &[], Zone::default(), &[]);
    lab.site.configure(CONNECTORS);
    let _daemon = lab.site.serve();
    assert!(told(&lab).unwrap().starts_with("250 "), "connectord is not wired in yet");

    // The checkout, where the README is read.
    let checkout = lab.machine.directory().join("etc/checkout");
    let copied = Command::new("cp").arg("-r").arg(CONTRIB).arg(checkout).status().unwrap();
    assert!(copied.success());
    let page = fs::read_to_string(format!("{CONTRIB}/README.md")).unwrap();
    for command in commands(&blocks(&page, "Install", "sh")[0]) {
        lab.machine.run("sh", &["-ec", &command.replace("contrib/exim/", "/etc/exim4/checkout/")]);
    }
    let refused = "530 5.7.0 connector contoso-in: TLS is required";
    wait_for("the running Exim to ask", || {
        // It closes its socket and begins anew, maybe in the middle of this.
        let reply = told(&lab).map_err(|error| error.to_string())?;
        if reply == refused { Ok(()) } else { Err(reply) }
    });
    let acl = lab.machine.run("exim4", &["-bP", "acl_smtp_mail"]);
    assert_eq!(acl, "acl_smtp_mail = acl_connectord_mail\n");
}

on_each_exim!(t3_on_a_running_exim);
