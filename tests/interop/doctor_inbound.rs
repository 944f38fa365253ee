//! `doctor` about mail that comes in: on a real Postfix each fault lets mail pass that a connector stops, or stops mail
//! that does what was agreed; `doctor` names it, its commands are run as printed, and then all is as agreed.

use crate::certificates::Authority;
use crate::client::Client;
use crate::on_each_postfix;
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;
use crate::visitor::{Wallet, connect};

const CONNECTORS: &str = r#"
[[inbound]]
name = "tls"
mode = "enforce"
identify.domains = ["tls.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "scoped"
mode = "enforce"
identify.domains = ["scoped.example"]
recipients = ["ours.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "named"
mode = "enforce"
identify.domains = ["named.example"]
require.certificate.names = ["mail.contoso.example"]
on_violation = "reject"

[[inbound]]
name = "registered"
mode = "enforce"
identify.domains = ["registered.example"]
require.certificate.files = ["registered.pem"]
on_violation = "reject"
"#;

/// A fault, and what shows it.
struct Fault {
    id: &'static str,
    place: &'static str,
    made_by: &'static [&'static str],
    /// A row of the wallet; the sender's domain; to whom; what they are told with the fault and without.
    visitor: &'static str,
    domain: &'static str,
    recipients: &'static [&'static str],
    with: &'static str,
    without: &'static str,
}

const ORDINARY: Fault = Fault {
    id: "postfix-policy-service-missing",
    place: "",
    made_by: &[],
    visitor: "plaintext",
    domain: "tls.example",
    recipients: &["carol@ours.example"],
    with: "250",
    without: "530 5.7.0",
};

const FAULTS: [Fault; 8] = [
    Fault {
        place: "main.cf: smtpd_recipient_restrictions = reject_unknown_recipient_domain",
        made_by: &["-e", "smtpd_recipient_restrictions=reject_unknown_recipient_domain"],
        // At DATA Postfix does not say to whom, if there are several.
        domain: "scoped.example",
        recipients: &["carol@ours.example", "dave@ours.example"],
        ..ORDINARY
    },
    Fault {
        place: "main.cf: smtpd_data_restrictions = ",
        made_by: &["-e", "smtpd_data_restrictions="],
        recipients: &["postmaster"],
        ..ORDINARY
    },
    Fault {
        id: "postfix-policy-service-late",
        place: "main.cf: smtpd_data_restrictions = permit_mynetworks check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_data_restrictions=permit_mynetworks check_policy_service unix:connectord/policy.sock",
            "mynetworks=127.0.0.0/8 192.0.2.0/24",
        ],
        recipients: &["postmaster"],
        ..ORDINARY
    },
    Fault {
        place: "master.cf: smtp/inet: smtpd_data_restrictions = ",
        made_by: &["-P", "smtp/inet/smtpd_data_restrictions="],
        recipients: &["postmaster"],
        ..ORDINARY
    },
    Fault {
        id: "postfix-socket-path",
        place: "main.cf: smtpd_recipient_restrictions = \
                check_policy_service unix:/var/spool/postfix/connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_recipient_restrictions=check_policy_service unix:/var/spool/postfix/connectord/policy.sock",
        ],
        with: "451",
        ..ORDINARY
    },
    Fault {
        id: "postfix-client-certificate",
        place: "main.cf: smtpd_tls_ask_ccert = no",
        made_by: &["-e", "smtpd_tls_ask_ccert=no"],
        visitor: "right",
        domain: "named.example",
        with: "550 5.7.1",
        without: "250",
        ..ORDINARY
    },
    Fault {
        id: "postfix-client-digest",
        place: "main.cf: smtpd_tls_fingerprint_digest = md5",
        made_by: &["-e", "smtpd_tls_fingerprint_digest=md5"],
        visitor: "registered",
        domain: "registered.example",
        with: "550 5.7.1",
        without: "250",
        ..ORDINARY
    },
    Fault {
        id: "postfix-no-starttls",
        place: "main.cf: smtpd_tls_security_level = none",
        made_by: &["-e", "smtpd_tls_security_level=none"],
        // Who cannot have TLS is told what somebody in plaintext is told.
        with: "530 5.7.0",
        ..ORDINARY
    },
];

/// The first refusal, or what is said at the end.
fn told(practice: &Practice, wallet: &Wallet, fault: &Fault) -> String {
    let mut client: Client = connect(&practice.lab, &wallet.visitor(fault.visitor));
    client.expect("250", &format!("MAIL FROM:<bob@{}>", fault.domain));
    for recipient in fault.recipients {
        let reply = client.ask(&format!("RCPT TO:<{recipient}>"));
        if !reply.starts_with("250") {
            return reply;
        }
    }
    client.data()
}

fn open(release: Release) -> (Practice, Wallet) {
    let authority = Authority::new("Lab CA");
    let wallet = Wallet::new(&authority);
    let practice = Practice::open(release, &authority, &[], Zone::default());
    practice.write("registered.pem", &wallet.0["registered"].pem());
    practice.agree(CONNECTORS);
    (practice, wallet)
}

fn x2_settings(release: Release) {
    let (practice, wallet) = open(release);
    let _daemon = practice.serve();
    practice.is_well();
    for fault in &FAULTS {
        practice.with_settings_restored(|| {
            practice.postconf(fault.made_by);
            let reply = told(&practice, &wallet, fault);
            assert!(reply.starts_with(fault.with), "{} at {}: {reply}", fault.id, fault.place);
            practice.is_mended(fault.id, fault.place);
            let reply = told(&practice, &wallet, fault);
            assert!(reply.starts_with(fault.without), "{} at {}, mended: {reply}", fault.id, fault.place);
        });
    }
}

/// The default action, while there is no daemon.
fn x2_away(release: Release) {
    let (practice, wallet) = open(release);
    practice.postconf(&["-e", "smtpd_policy_service_default_action=DUNNO"]);
    assert!(told(&practice, &wallet, &ORDINARY).starts_with("250"));
    let daemon = practice.serve();
    practice
        .is_mended("postfix-policy-service-action", "main.cf: smtpd_policy_service_default_action = DUNNO");
    drop(daemon);
    assert!(told(&practice, &wallet, &ORDINARY).starts_with("451"));
}

on_each_postfix!(x2_settings, x2_away);
