//! Our Postfix: as Debian ships it, with the lines of contrib in main.cf and some of the lab's.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::client::{Client, queue_id};
use crate::condition::wait_for;
use crate::lab::{Mta, Queued};
use crate::machine::Machine;
use crate::network::Network;

/// The lines that an administrator adds to main.cf, as they are.
const CONTRIB: [&str; 2] = [
    include_str!("../../contrib/postfix/main.cf.outbound"),
    include_str!("../../contrib/postfix/main.cf.inbound"),
];

/// Beside what Debian has and what contrib says: certificates of the lab, and what makes it quick.
const SETTINGS: [&str; 25] = [
    "smtp_tls_CAfile=/etc/postfix/tls/ca.pem",
    "smtpd_tls_cert_file=",
    "smtpd_tls_key_file=",
    "smtpd_tls_chain_files=/etc/postfix/tls/ours.pem",
    "smtpd_tls_CAfile=/etc/postfix/tls/ca.pem",
    "maillog_file=/var/log/mail.log",
    "myhostname=mail.ours.example",
    "mydestination=ours.example",
    "local_transport=discard:",
    "local_recipient_maps=",
    "alias_maps=",
    "alias_database=",
    "inet_interfaces=all",
    "inet_protocols=all",
    "mynetworks=127.0.0.0/8 [::1]/128",
    // A deferred message stays deferred until the test asks for another try.
    "minimal_backoff_time=1h",
    "maximal_backoff_time=1h",
    "queue_run_delay=1h",
    // One failure does not hold back other mail for the same place.
    "default_destination_concurrency_failed_cohort_limit=0",
    // One session asks for hundreds of refusals.
    "smtpd_soft_error_limit=10000",
    "smtpd_hard_error_limit=10000",
    "smtpd_error_sleep_time=0",
    "smtpd_client_connection_rate_limit=0",
    "smtpd_client_connection_count_limit=0",
    "smtpd_client_message_rate_limit=0",
];

/// The processes that speak SMTP, with when they began: a number may be given to another one.
const SERVING: &str = r#"
for process in /proc/[0-9]*; do
    read -r name 2>/dev/null < "$process/comm" || continue
    case $name in smtp|smtpd) stat -c '%n %Z' "$process" 2>/dev/null;; esac
done
exit 0
"#;

/// Does what ends in a reload, and waits until nobody is there any more who knows the old settings: an idle process ends
/// soon after a reload, and takes work until then. `shell` runs a command of sh(1) where Postfix is.
pub fn until_others_serve(shell: impl Fn(&str) -> String, work: impl FnOnce()) {
    let serving = || -> BTreeSet<String> { shell(SERVING).lines().map(str::to_owned).collect() };
    let old = serving();
    work();
    wait_for("the end of those with the old settings", || {
        let left: Vec<String> = serving().intersection(&old).cloned().collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

/// The settings of a main.cf file: no comments, continuation lines put together.
pub fn settings_of(text: &str) -> Vec<String> {
    let mut settings: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match settings.last_mut().filter(|_| line.starts_with(char::is_whitespace)) {
            Some(setting) => {
                setting.push(' ');
                setting.push_str(line.trim());
            }
            None => settings.push(line.to_owned()),
        }
    }
    settings
}

/// What a recipient's address asks of the injection.
fn options(recipient: &str) -> &'static str {
    if recipient.is_ascii() { "" } else { " SMTPUTF8" }
}

pub struct Postfix;

impl Mta for Postfix {
    fn start(machine: &Machine, network: &Network, settings: &[&str]) -> Postfix {
        let sockets = machine.directory().join("spool/connectord");
        fs::create_dir(&sockets).unwrap();
        fs::set_permissions(&sockets, fs::Permissions::from_mode(0o755)).unwrap();
        let contrib: Vec<String> = CONTRIB.iter().flat_map(|text| settings_of(text)).collect();
        assert!(contrib.len() > 15, "{contrib:?}");
        let mut arguments = vec!["-e"];
        arguments.extend(contrib.iter().map(String::as_str));
        arguments.extend(SETTINGS);
        arguments.extend(settings);
        machine.run("postconf", &arguments);
        machine.run("postfix", &["start"]);
        wait_for("Postfix", || {
            network
                .ours
                .enter(|| TcpStream::connect((Ipv4Addr::LOCALHOST, 25)))
                .map(drop)
                .map_err(|error| error.to_string())
        });
        Postfix
    }

    fn submit<'r>(&self, _: &Machine, network: &Network, recipients: impl IntoIterator<Item = &'r str>) {
        self.submit_by_smtp(network, recipients);
    }

    fn queue(&self, machine: &Machine) -> Vec<Queued> {
        queued(&machine.run("postqueue", &["-j"]))
    }
}

/// The queue, from what `postqueue -j` says.
pub fn queued(text: &str) -> Vec<Queued> {
    text.lines()
        .flat_map(|line| {
            let message: Value = serde_json::from_str(line).unwrap();
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let recipients = message["recipients"].as_array().cloned().unwrap_or_default();
            recipients
                .into_iter()
                .map(|recipient| Queued {
                    queue: word(&message["queue_name"]),
                    id: word(&message["queue_id"]),
                    recipient: word(&recipient["address"]),
                    reason: word(&recipient["delay_reason"]),
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

impl Postfix {
    /// Takes in one message for each recipient, all in one session; their queue IDs.
    pub fn submit_by_smtp<'r>(
        &self,
        network: &Network,
        recipients: impl IntoIterator<Item = &'r str>,
    ) -> Vec<String> {
        self.submit_with(network, "Subject: interop", recipients)
    }

    /// The same with a header of its own.
    pub fn submit_with<'r>(
        &self,
        network: &Network,
        header: &str,
        recipients: impl IntoIterator<Item = &'r str>,
    ) -> Vec<String> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut client = Client::connect(&network.ours, loopback, loopback);
        client.expect("250", "EHLO localhost");
        recipients
            .into_iter()
            .map(|recipient| {
                client.expect("250", &format!("MAIL FROM:<sender@ours.example>{}", options(recipient)));
                client.expect("250", &format!("RCPT TO:<{recipient}>"));
                let reply = client.message(header);
                queue_id(&reply).unwrap_or_else(|| panic!("{recipient}: {reply}")).to_owned()
            })
            .collect()
    }

    /// Adds services to master.cf, as an administrator does.
    pub fn add_services(&self, machine: &Machine, services: &str) {
        let master = machine.directory().join("etc/master.cf");
        let mut text = fs::read_to_string(&master).unwrap();
        text.push_str(services);
        fs::write(&master, text).unwrap();
        machine.run("postfix", &["reload"]);
    }

    /// Tries everything that is deferred again.
    pub fn flush(&self, machine: &Machine) {
        machine.run("postqueue", &["-f"]);
    }

    /// Its log so far.
    pub fn log(&self, machine: &Machine) -> String {
        fs::read_to_string(machine.directory().join("log/mail.log")).unwrap_or_default()
    }
}
