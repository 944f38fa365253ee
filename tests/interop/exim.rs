//! Our Exim: as Debian ships it, with the files of contrib as they are.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Stdio;

use crate::condition::wait_for;
use crate::lab::{BOUNCED, DEFERRED, Mta, Queued};
use crate::machine::Machine;
use crate::network::Network;

/// What an administrator copies.
const CONTRIB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/exim");

/// update-exim4.conf(8): an Internet site with the split configuration.
const SITE: &str = "\
dc_eximconfig_configtype='internet'
dc_other_hostnames='ours.example'
dc_local_interfaces=''
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets=''
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='true'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
";

/// The lab's own macros: certificates, and what makes it quick.
const MACROS: &str = "\
MAIN_HARDCODE_PRIMARY_HOSTNAME = mail.ours.example
MAIN_TLS_ENABLE = yes
MAIN_TLS_CERTIFICATE = /etc/exim4/tls/ours.pem
MAIN_TLS_PRIVATEKEY = /etc/exim4/tls/ours.pem
MAIN_TLS_VERIFY_CERTIFICATES = /etc/exim4/tls/ca.pem
smtp_accept_queue_per_connection = 0
smtp_accept_max = 0
queue_run_in_order = true
remote_max_parallel = 1
";

/// Mail to us is taken and thrown away.
const LOCAL_ROUTER: &str = "\
lab_local:
  driver = redirect
  domains = +local_domains
  data = :blackhole:
";

pub struct Exim;

impl Mta for Exim {
    /// `settings` are lines for the main section.
    fn start(machine: &Machine, network: &Network, settings: &[&str]) -> Exim {
        let etc = machine.directory().join("etc");
        copy(&Path::new(CONTRIB).join("connectord"), &etc.join("connectord"));
        copy(&Path::new(CONTRIB).join("conf.d"), &etc.join("conf.d"));
        let lab = |name: &str, text: &str| fs::write(etc.join(name), text).unwrap();
        lab("update-exim4.conf.conf", SITE);
        lab("conf.d/main/000_localmacros", &format!("{MACROS}{}\n", settings.join("\n")));
        lab("conf.d/router/10_lab", LOCAL_ROUTER);
        let authorities = machine.directory().join("certificates/ca-certificates.crt");
        fs::copy(etc.join("tls/ca.pem"), authorities).unwrap();
        machine.run("update-exim4.conf", &[]);
        machine.run("install", &["-d", "-o", "Debian-exim", "-g", "Debian-exim", "/run/exim4"]);
        Exim::listen(machine, network);
        Exim
    }

    /// By the command line, as programs on the host send: no ACL is asked.
    fn submit<'r>(&self, machine: &Machine, _: &Network, recipients: impl IntoIterator<Item = &'r str>) {
        const EACH: &str = r#"while read -r recipient; do
            printf 'Subject: interop\n\nhello\n' | exim4 -odq -f sender@ours.example -- "$recipient"
        done"#;
        let list: String = recipients.into_iter().map(|recipient| format!("{recipient}\n")).collect();
        let mut shell = machine.command("sh").args(["-c", EACH]).stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        self.flush(machine);
    }

    /// What the log says last of each recipient that was not delivered.
    fn queue(&self, machine: &Machine) -> Vec<Queued> {
        let log = self.log(machine);
        let lines = log.lines().filter_map(Line::of);
        let mut queue: Vec<Queued> = Vec::new();
        let mut asides: Vec<(&str, &str)> = Vec::new();
        for Line { id, text } in lines {
            let mut words = text.splitn(3, ' ');
            let (mark, recipient) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            // An address that a router made of another one is followed by that.
            let recipient = match words.next().and_then(|rest| rest.split(' ').next()) {
                Some(original) if original.starts_with('<') => original,
                _ => recipient,
            };
            let state = match mark {
                "==" => DEFERRED,
                "**" => BOUNCED,
                "=>" | "->" => "delivered",
                _ => {
                    asides.push((id, text));
                    continue;
                }
            };
            let address = recipient.trim_end_matches(':').trim_matches(['<', '>']);
            queue.retain(|queued| !(queued.id == id && queued.recipient == address));
            let before: Vec<&str> =
                asides.iter().filter(|(other, _)| *other == id).map(|(_, text)| *text).collect();
            asides.retain(|(other, _)| *other != id);
            if state != "delivered" {
                queue.push(Queued {
                    queue: state.to_owned(),
                    id: id.to_owned(),
                    recipient: address.to_owned(),
                    reason: format!("{} {text}", before.join(" ")),
                });
            }
        }
        queue
    }
}

/// A line of the main log about a message.
struct Line<'l> {
    id: &'l str,
    text: &'l str,
}

impl Line<'_> {
    /// `2026-11-24 17:20:01 1abcde-000001-2X == u@x R=r T=t defer (-38): ..`
    fn of(line: &str) -> Option<Line<'_>> {
        let mut words = line.splitn(4, ' ');
        let (_, _, id, text) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let is_id = id.split('-').count() == 3 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_id.then_some(Line { id, text })
    }
}

impl Exim {
    fn listen(machine: &Machine, network: &Network) {
        machine.run("exim4", &["-bd", "-oP", "/run/exim4/exim.pid"]);
        wait_for("Exim", || {
            network
                .ours
                .enter(|| TcpStream::connect((Ipv4Addr::LOCALHOST, 25)))
                .map(drop)
                .map_err(|error| error.to_string())
        });
    }

    /// Tries everything in the queue again, whatever the retry times; returns when all is tried.
    pub fn flush(&self, machine: &Machine) {
        machine.run("exim4", &["-qff"]);
    }

    /// Its main log so far.
    pub fn log(&self, machine: &Machine) -> String {
        fs::read_to_string(machine.directory().join("log/exim4/mainlog")).unwrap_or_default()
    }

    /// What it says when something is badly wrong.
    pub fn panics(&self, machine: &Machine) -> String {
        fs::read_to_string(machine.directory().join("log/exim4/paniclog")).unwrap_or_default()
    }
}

/// A directory into one that may be there.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
