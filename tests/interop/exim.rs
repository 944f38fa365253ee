//! Our Exim: as Debian ships it, with the files of contrib as they are.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::condition::wait_for;
use crate::lab::{BOUNCED, DEFERRED, Mta, Queued};
use crate::machine::Machine;
use crate::network::Network;

/// What an administrator copies.
pub const CONTRIB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/exim");

/// update-exim4.conf(8): an Internet site with the split configuration.
pub const SITE: &str = "\
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
pub const MACROS: &str = "\
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
pub const LOCAL_ROUTER: &str = "\
lab_local:
  driver = redirect
  domains = +local_domains
  data = :blackhole:
";

/// Anybody may log in as bob.
const AUTHENTICATOR: &str = "\
lab_plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if eq{$auth2}{bob}}
  server_set_id = $auth2
";

/// ACLs of the site, for tests that put them behind connectord's: every verb, by the local part.
const SITE_ACLS: &str = "\
acl_lab_mail:
  deny     senders = ^deny@
           message = 550 5.7.1 denied
  defer    senders = ^defer@
           message = 451 4.7.1 deferred
  drop     senders = ^drop@
           message = 550 5.7.1 dropped
  discard  senders = ^discard@
  accept
acl_lab_rcpt:
  deny     local_parts = deny
           message = 550 5.7.1 denied
  defer    local_parts = defer
           message = 451 4.7.1 deferred
  drop     local_parts = drop
           message = 550 5.7.1 dropped
  discard  local_parts = discard
  accept
";

/// The root of the lab has no systemd. What is printed for an administrator to run finds this there under its name; it
/// does what Debian's unit does, and nothing else.
const SYSTEMCTL: &str = r#"#!/bin/sh -e
if [ "$*" != "reload exim4" ]; then
    echo "systemctl $*: there is no systemd in this lab" >&2
    exit 1
fi
kill -HUP "$(cat /run/exim4/exim.pid)"
"#;

pub struct Exim;

impl Mta for Exim {
    /// `settings` are lines for the main section.
    fn start(machine: &Machine, network: &Network, settings: &[&str]) -> Exim {
        let etc = machine.directory().join("etc");
        copy(&Path::new(CONTRIB).join("conf.d"), &etc.join("conf.d"));
        let lab = |name: &str, text: &str| fs::write(etc.join(name), text).unwrap();
        lab("update-exim4.conf.conf", SITE);
        lab("conf.d/main/000_localmacros", &format!("{MACROS}{}\n", settings.join("\n")));
        lab("conf.d/router/10_lab", LOCAL_ROUTER);
        lab("conf.d/acl/60_lab", SITE_ACLS);
        lab("conf.d/auth/10_lab", AUTHENTICATOR);
        Exim::start_configured(machine, network, || {
            machine.run("update-exim4.conf", &[]);
        })
    }

    /// By the command line, as programs on the host send: no ACL is asked.
    fn submit<'r>(&self, machine: &Machine, _: &Network, recipients: impl IntoIterator<Item = &'r str>) {
        self.enqueue(machine, recipients);
        self.flush(machine);
    }

    fn queue(&self, machine: &Machine) -> Vec<Queued> {
        queued(&self.log(machine))
    }
}

/// What the main log says last of each recipient that was not delivered.
pub fn queued(log: &str) -> Vec<Queued> {
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
    /// Starts what `configure` makes of contrib's files and those of the lab.
    pub fn start_configured(machine: &Machine, network: &Network, configure: impl FnOnce()) -> Exim {
        let etc = machine.directory().join("etc");
        copy(&Path::new(CONTRIB).join("connectord"), &etc.join("connectord"));
        let authorities = machine.directory().join("certificates/ca-certificates.crt");
        fs::copy(etc.join("tls/ca.pem"), authorities).unwrap();
        configure();
        Exim::listening(machine, network)
    }

    /// Starts it as it is configured; it listens when this returns.
    pub fn listening(machine: &Machine, network: &Network) -> Exim {
        let systemctl = machine.directory().join("programs/systemctl");
        fs::write(&systemctl, SYSTEMCTL).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        machine.run("install", &["-d", "-o", "Debian-exim", "-g", "Debian-exim", "/run/exim4"]);
        machine.run("exim4", &["-bd", "-oP", "/run/exim4/exim.pid"]);
        wait_for("Exim", || {
            network
                .ours
                .enter(|| TcpStream::connect((Ipv4Addr::LOCALHOST, 25)))
                .map(drop)
                .map_err(|error| error.to_string())
        });
        Exim
    }

    /// Tries everything in the queue again, whatever the retry times; returns when all is tried.
    pub fn flush(&self, machine: &Machine) {
        machine.run("exim4", &["-qff"]);
    }

    /// Its main log so far. Exim writes bytes into it as they came.
    pub fn log(&self, machine: &Machine) -> String {
        let log = fs::read(machine.directory().join("log/exim4/mainlog")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// What it says when something is badly wrong.
    pub fn panics(&self, machine: &Machine) -> String {
        fs::read_to_string(machine.directory().join("log/exim4/paniclog")).unwrap_or_default()
    }
}

/// A directory into one that may be there.
pub fn copy(from: &Path, to: &Path) {
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
