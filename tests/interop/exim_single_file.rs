//! Exim with its configuration in one file: the pieces of `exim4.conf.fragment`, put where it says.

use std::fs;
use std::marker::PhantomData;
use std::net::IpAddr;

use rustls::ALL_VERSIONS;

use crate::certificates::{Authority, Subject};
use crate::client::{Client, tls};
use crate::exim::{CONTRIB, Exim, LOCAL_ROUTER, MACROS, SITE};
use crate::exim_practice::Practice;
use crate::lab::{Lab, Mta, Queued, fates};
use crate::machine::Machine;
use crate::network::{Network, OURS, partner_address};
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;
use crate::transaction::Transaction;

/// The file without connectord.
pub trait Original {
    /// Its text.
    fn read(machine: &Machine) -> String;

    /// Makes a text the configuration of Exim.
    fn install(machine: &Machine, text: &str);
}

/// Debian's, for its non-split configuration.
pub struct Template;

impl Original for Template {
    fn read(machine: &Machine) -> String {
        fs::read_to_string(machine.directory().join("etc/exim4.conf.template")).unwrap()
    }

    fn install(machine: &Machine, text: &str) {
        let lab =
            |name: &str, text: &str| fs::write(machine.directory().join("etc").join(name), text).unwrap();
        lab("exim4.conf.template", text);
        lab("exim4.conf.localmacros", MACROS);
        lab("update-exim4.conf.conf", &SITE.replace("split_config='true'", "split_config='false'"));
        machine.run("update-exim4.conf", &[]);
    }
}

/// Somebody's own, who has no ACL at MAIL.
pub struct Own;

const OWN: &str = "\
primary_hostname = mail.ours.example
domainlist local_domains = ours.example
acl_smtp_rcpt = acl_check_rcpt
tls_certificate = /etc/exim4/tls/ours.pem
tls_verify_certificates = /etc/exim4/tls/ca.pem
tls_advertise_hosts = *

begin acl

acl_check_rcpt:
  require
    message = relay not permitted
    domains = +local_domains
  accept

begin routers

dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more

begin transports

remote_smtp:
  driver = smtp

begin retry

*  *  F,2h,15m
";

impl Original for Own {
    fn read(_: &Machine) -> String {
        OWN.to_owned()
    }

    fn install(machine: &Machine, text: &str) {
        let text = format!("CONNECTORD_NEXT_MAIL = accept\n{text}");
        fs::write(machine.directory().join("etc/exim4.conf"), text).unwrap();
    }
}

/// Does what the fragment says.
fn with_fragment(original: &str) -> String {
    let fragment = fs::read_to_string(format!("{CONTRIB}/exim4.conf.fragment")).unwrap();
    let mut pieces = fragment.split("# ---- ").skip(1);
    let top = pieces.next().unwrap();
    assert!(top.starts_with("At the top of the file."), "{top}");
    let option = |line: &str| line.split_once(" = ").map(|(name, _)| name.to_owned());
    let options: Vec<String> = top.lines().filter(|line| !line.starts_with('#')).filter_map(option).collect();
    assert_eq!(options.len(), 3, "{options:?}");
    let mut text = format!("# {top}");
    for line in original.lines().filter(|line| !option(line).is_some_and(|name| options.contains(&name))) {
        text += line;
        text += "\n";
    }
    for piece in pieces {
        let place = piece.split('"').nth(1).unwrap();
        let (before, behind) = text.split_once(&format!("\n{place}\n")).unwrap_or_else(|| panic!("{place}"));
        text = match piece.split(' ').nth(1) {
            Some("behind") => format!("{before}\n{place}\n# {piece}{behind}"),
            Some("before") => format!("{before}\n# {piece}\n{place}\n{behind}"),
            other => panic!("{other:?}"),
        };
    }
    text
}

pub struct SingleFile<O>(pub Exim, PhantomData<O>);

impl<O: Original> Mta for SingleFile<O> {
    fn start(machine: &Machine, network: &Network, _: &[&str]) -> SingleFile<O> {
        // The lab's own router comes behind those of connectord.
        let original =
            O::read(machine).replace("\nbegin routers\n", &format!("\nbegin routers\n\n{LOCAL_ROUTER}"));
        let exim =
            Exim::start_configured(machine, network, || O::install(machine, &with_fragment(&original)));
        SingleFile(exim, PhantomData)
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

const CONNECTORS: &str = r#"
[[outbound]]
name = "right"
mode = "enforce"
domains = ["right.example"]
tls = "verify"

[[outbound]]
name = "wrong"
mode = "enforce"
domains = ["wrong.example"]
tls = "secure"
match = ["mx.right.example"]

[[outbound]]
name = "plain"
mode = "enforce"
domains = ["plain.example"]
tls = "encrypt"

[[inbound]]
name = "contoso"
mode = "enforce"
identify.domains = ["contoso.example"]
require.certificate.names = ["*.contoso.example"]
on_violation = "reject"

[[inbound]]
name = "scoped"
mode = "enforce"
identify.domains = ["scoped.example"]
recipients = ["ours.example"]
require.tls = true
on_violation = "reject"
"#;

fn hosts(authority: &Authority) -> [Host; 3] {
    let working = |names: &[&str]| Starttls::Works(authority.issue(Subject::server(names)).server());
    let host = |name: &str, number: u8, starttls: Starttls| Host { name: name.to_owned(), number, starttls };
    [
        host("mx.right.example", 10, working(&["mx.right.example"])),
        host("mx.wrong.example", 11, working(&["mx.wrong.example"])),
        host("mx.plain.example", 12, Starttls::Absent),
    ]
}

fn both_ways<O: Original>(release: Release) {
    let authority = Authority::new("Lab CA");
    let mut zone = Zone::default();
    for (domain, host) in [("right", "right"), ("wrong", "wrong"), ("plain", "plain"), ("nobody", "plain")] {
        zone.mx(&format!("{domain}.example"), &format!("mx.{host}.example"));
    }
    let lab: Lab<SingleFile<O>> = Lab::start(release, &authority, &hosts(&authority), zone, &[]);
    let practice = Practice::new(lab);
    practice.agree(CONNECTORS);
    let lab = &practice.lab;
    let _daemon = lab.site.serve();
    practice.is_well();

    let exim = |arguments: &[&str]| lab.machine.run("exim4", arguments);
    exim(&["-bV"]);
    assert_eq!(exim(&["-bP", "acl_smtp_mail"]), "acl_smtp_mail = acl_connectord_mail\n");
    let routers = exim(&["-bP", "router_list"]);
    assert!(routers.starts_with("connectord_moved\nconnectord_ask\n"), "{routers}");

    lab.send_expecting(&fates([
        ("user@right.example", "T mx.right.example:25"),
        ("user@wrong.example", "D connectord"),
        ("user@plain.example", "D TLS"),
        ("user@nobody.example", "P mx.plain.example:25"),
    ]));

    let right = authority.issue(Subject::client(&"mail.contoso.example"));
    let told = |client: Option<_>, sender: &str, recipient: &str| {
        let mut session = Client::connect(&lab.network.partner, partner_address(77), IpAddr::V4(OURS));
        session.expect("250", "EHLO mx.example");
        if let Some(credentials) = client {
            session = session.starttls(&tls(credentials, ALL_VERSIONS));
            session.expect("250", "EHLO mx.example");
        }
        Transaction::new(sender, &[recipient]).run(&mut session)
    };
    let (bob, carol) = ("bob@contoso.example", "carol@ours.example");
    let refusal = |what: &str| format!("MAIL 550 5.7.1 connector contoso: {what}");
    assert_eq!(told(None, bob, carol), "MAIL 530 5.7.0 connector contoso: TLS is required");
    assert_eq!(told(Some(None), bob, carol), refusal("no client certificate was presented"));
    assert_eq!(told(Some(Some(&right)), bob, carol), "taken");
    let scoped = "RCPT 530 5.7.0 connector scoped: TLS is required";
    assert_eq!(told(None, "bob@scoped.example", carol), scoped);
    assert_eq!(told(None, "bob@other.example", carol), "taken");
    // The site's own ACL still has its say.
    assert_eq!(told(None, "bob@other.example", "carol@elsewhere.example"), "RCPT 550 relay not permitted");
    assert_eq!(lab.mta.0.panics(&lab.machine), "");
}

fn debian(release: Release) {
    both_ways::<Template>(release);
}

fn own(release: Release) {
    both_ways::<Own>(release);
}

on_each_exim!(debian, own);
