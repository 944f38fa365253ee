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
pub struct Fault {
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

pub const ORDINARY: Fault = Fault {
    id: "postfix-policy-service-missing",
    place: "",
    made_by: &[],
    visitor: "plaintext",
    domain: "tls.example",
    recipients: &["carol@ours.example"],
    with: "250",
    without: "530 5.7.0",
};

/// What is asked before the daemon, and lets pass whom it would stop.
const PERMITTING: Fault =
    Fault { id: "postfix-policy-service-late", recipients: &["postmaster"], ..ORDINARY };

const FAULTS: [Fault; 19] = [
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
        place: "main.cf: smtpd_data_restrictions = warn_if_reject check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_data_restrictions=warn_if_reject check_policy_service unix:connectord/policy.sock",
        ],
        recipients: &["postmaster"],
        ..ORDINARY
    },
    // Before there is a recipient, or as much as a sender.
    Fault {
        place: "main.cf: smtpd_recipient_restrictions = ",
        made_by: &[
            "-e",
            "smtpd_delay_reject=no",
            "smtpd_client_restrictions=check_policy_service unix:connectord/policy.sock",
            "smtpd_recipient_restrictions=",
        ],
        domain: "scoped.example",
        recipients: &["carol@ours.example", "dave@ours.example"],
        ..ORDINARY
    },
    Fault {
        place: "main.cf: smtpd_recipient_restrictions = ",
        made_by: &[
            "-e",
            "smtpd_delay_reject=no",
            "smtpd_sender_restrictions=check_policy_service unix:connectord/policy.sock",
            "smtpd_recipient_restrictions=",
        ],
        domain: "scoped.example",
        recipients: &["carol@ours.example", "dave@ours.example"],
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
        place: "main.cf: smtpd_data_restrictions = insiders check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_restriction_classes=insiders",
            "insiders=reject_invalid_helo_hostname permit",
            "smtpd_data_restrictions=insiders check_policy_service unix:connectord/policy.sock",
        ],
        ..PERMITTING
    },
    Fault {
        place: "main.cf: smtpd_data_restrictions = check_sender_access inline:{tls.example=OK} \
                check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_data_restrictions=check_sender_access inline:{tls.example=OK} \
             check_policy_service unix:connectord/policy.sock",
        ],
        ..PERMITTING
    },
    Fault {
        place: "main.cf: smtpd_data_restrictions = check_client_access texthash:/etc/postfix/clients \
                check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_data_restrictions=check_client_access texthash:/etc/postfix/clients \
             check_policy_service unix:connectord/policy.sock",
        ],
        ..PERMITTING
    },
    Fault {
        place: "main.cf: smtpd_data_restrictions = check_client_access cidr:/etc/postfix/clients.cidr \
                check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_data_restrictions=check_client_access cidr:/etc/postfix/clients.cidr \
             check_policy_service unix:connectord/policy.sock",
        ],
        ..PERMITTING
    },
    // The answer is the name of a class.
    Fault {
        place: "main.cf: smtpd_data_restrictions = check_helo_access static:insiders \
                check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_restriction_classes=insiders",
            "insiders=permit",
            "smtpd_data_restrictions=check_helo_access static:insiders \
             check_policy_service unix:connectord/policy.sock",
        ],
        ..PERMITTING
    },
    Fault {
        id: "postfix-policy-service-unseen",
        place: "main.cf: smtpd_data_restrictions = check_sender_access regexp:/etc/postfix/senders.regexp \
                check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_data_restrictions=check_sender_access regexp:/etc/postfix/senders.regexp \
             check_policy_service unix:connectord/policy.sock",
        ],
        ..PERMITTING
    },
    // At DATA it is not asked for whom, if there are several, and who is about some recipients is passed by.
    Fault {
        place: "main.cf: smtpd_recipient_restrictions = check_recipient_access inline:{ours.example=OK} \
                check_policy_service unix:connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_recipient_restrictions=check_recipient_access inline:{ours.example=OK} \
             check_policy_service unix:connectord/policy.sock",
        ],
        domain: "scoped.example",
        recipients: &["carol@ours.example", "dave@ours.example"],
        ..PERMITTING
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
        id: "postfix-socket-path",
        place: "main.cf: smtpd_sender_restrictions = \
                check_policy_service unix:/var/spool/postfix/connectord/policy.sock",
        made_by: &[
            "-e",
            "smtpd_sender_restrictions=check_policy_service unix:/var/spool/postfix/connectord/policy.sock",
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
        visitor: "opportunistic",
        with: "530 5.7.0",
        without: "250",
        ..ORDINARY
    },
];

/// The files that the faults name.
const FILES: [(&str, &str); 3] = [
    ("clients", "192.0.2.77 OK\n"),
    ("clients.cidr", "192.0.2.0/24\n    permit\n"),
    ("senders.regexp", "/@tls\\.example$/ OK\n"),
];

/// What lets nobody pass whom a connector is about: it goes on, or is about those who are never judged, or others.
const HARMLESS: [&str; 5] = [
    "check_client_access inline:{{192.0.2.77=DUNNO}, {127.0.0.1=OK}}",
    "check_sender_access inline:{elsewhere.example=OK}",
    "check_client_access cidr:/etc/postfix/ours.cidr",
    "check_sender_access regexp:/etc/postfix/refused.regexp",
    "asks_first permit",
];

/// The first refusal, or what is said at the end.
pub fn told(practice: &Practice, wallet: &Wallet, fault: &Fault) -> String {
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

pub fn open(release: Release) -> (Practice, Wallet) {
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
    for (name, text) in FILES {
        practice.write_table(name, text);
    }
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

fn x2_harmless(release: Release) {
    let (practice, wallet) = open(release);
    let _daemon = practice.serve();
    practice.write_table("ours.cidr", "# 0.0.0.0/0 OK\n127.0.0.0/8 OK\n0.0.0.0/0 DUNNO\n");
    practice.write_table("refused.regexp", "/@refused\\.example$/ REJECT\n");
    let ours = "check_policy_service unix:connectord/policy.sock";
    practice.postconf(&["-e", "smtpd_restriction_classes=asks_first", &format!("asks_first={ours}")]);
    for harmless in HARMLESS {
        let list = format!("smtpd_data_restrictions={harmless} {ours}");
        practice.postconf(&["-e", &list]);
        let reply = told(&practice, &wallet, &Fault { recipients: &["postmaster"], ..ORDINARY });
        assert!(reply.starts_with("530 5.7.0"), "{harmless}: {reply}");
        practice.is_well();
    }
    // An earlier list will do, which is judged at RCPT, but for postmaster.
    for list in ["smtpd_client_restrictions", "smtpd_sender_restrictions"] {
        practice.with_settings_restored(|| {
            let lists = [&format!("{list}={ours}"), "smtpd_recipient_restrictions="];
            practice.postconf(&["-e", lists[0], lists[1], &format!("smtpd_data_restrictions={ours}")]);
            let scoped = Fault { domain: "scoped.example", ..ORDINARY };
            let reply = told(&practice, &wallet, &scoped);
            assert!(reply.starts_with("530 5.7.0"), "{list}: {reply}");
            practice.is_well();
        });
    }
}

on_each_postfix!(x2_settings, x2_harmless);
