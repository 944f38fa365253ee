//! Our Postfix: as Debian ships it, with the lab's lines in main.cf.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::client::{Client, queue_id};
use crate::condition::wait_for;
use crate::machine::Machine;
use crate::network::Network;

/// main.cf beside what Debian has there: what contrib/postfix says, then what makes a lab quick.
const SETTINGS: [&str; 34] = [
    "smtp_tls_policy_maps=socketmap:unix:/connectord/socketmap.sock:tls",
    "smtp_tls_security_level=may",
    "smtp_tls_CAfile=/etc/postfix/tls/ca.pem",
    "smtp_tls_session_cache_database=",
    "smtp_connection_cache_on_demand=no",
    "smtp_tls_loglevel=1",
    "smtpd_tls_security_level=may",
    "smtpd_tls_cert_file=",
    "smtpd_tls_key_file=",
    "smtpd_tls_chain_files=/etc/postfix/tls/ours.pem",
    "smtpd_tls_CAfile=/etc/postfix/tls/ca.pem",
    "smtpd_tls_ask_ccert=yes",
    "smtpd_tls_fingerprint_digest=sha256",
    "smtpd_recipient_restrictions=permit_mynetworks, reject_unauth_destination, check_policy_service unix:connectord/policy.sock",
    "smtpd_data_restrictions=permit_mynetworks, check_policy_service unix:connectord/policy.sock",
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
];

/// Postfix 3.10 asks no policy for a message that says `TLS-Required: no`, unless this is set;
/// 3.7 does not know it.
const SINCE_3_10: &str = "tls_required_enable=no";

/// A message in our queue, with one recipient.
#[derive(Clone, Debug)]
pub struct Queued {
    /// `incoming`, `active`, `deferred`, `hold`
    pub queue: String,
    pub id: String,
    pub recipient: String,
    /// Why the last attempt failed; empty before the first.
    pub reason: String,
}

/// What a recipient's address asks of the injection.
fn options(recipient: &str) -> &'static str {
    if recipient.is_ascii() { "" } else { " SMTPUTF8" }
}

pub struct Postfix;

impl Postfix {
    /// Starts it with `settings` beside those of every lab; it listens when this returns.
    pub fn start(machine: &Machine, network: &Network, postfix: &str, settings: &[&str]) -> Postfix {
        let sockets = machine.directory().join("spool/connectord");
        fs::create_dir(&sockets).unwrap();
        fs::set_permissions(&sockets, fs::Permissions::from_mode(0o755)).unwrap();
        let mut arguments = vec!["-e"];
        arguments.extend(SETTINGS);
        if postfix != "3.7" {
            arguments.push(SINCE_3_10);
        }
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

    /// Takes in one message for each recipient, all in one session; their queue IDs.
    pub fn submit<'r>(
        &self,
        network: &Network,
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
                let reply = client.data();
                queue_id(&reply).unwrap_or_else(|| panic!("{recipient}: {reply}")).to_owned()
            })
            .collect()
    }

    /// Everything in the queue.
    pub fn queue(&self, machine: &Machine) -> Vec<Queued> {
        let text = machine.run("postqueue", &["-j"]);
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

    /// Tries everything that is deferred again.
    pub fn flush(&self, machine: &Machine) {
        machine.run("postqueue", &["-f"]);
    }

    /// Its log so far.
    pub fn log(&self, machine: &Machine) -> String {
        fs::read_to_string(machine.directory().join("log/mail.log")).unwrap_or_default()
    }
}
