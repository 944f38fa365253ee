//! `doctor`: on a real Postfix each fault lets mail go round a connector, or keeps it; `doctor` names the fault, and
//! nothing else; its commands are run as printed; then the way is closed, and `doctor` is silent.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::certificates::{Authority, Credentials, Subject};
use crate::condition::wait_for;
use crate::daemon::CONNECTORD;
use crate::lab::{Lab, fates};
use crate::network::partner_address;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// Messages, and the number of a host that takes its time with each.
const BURST: usize = 40;
const SLOW: u8 = 13;

const RELAY: &str = "P relay.lab.example:25";

const PLAIN: &str = "P mx.plain.example:25";

const GOOD: &str = "T mx.good.example:25";

const NO_TLS: &str = "D TLS is required, but was not offered";

const UNVERIFIED: &str = "D Server certificate not verified";

/// A fault, and what shows it.
struct Fault {
    id: &'static str,
    /// Where `doctor` says that it is.
    place: &'static str,
    /// Arguments of postconf(1) that make it.
    made_by: &'static [&'static str],
    /// Written into the message.
    header: &'static str,
    /// To whom, and what becomes of the mail with the fault and without.
    domain: &'static str,
    with: &'static str,
    without: &'static str,
}

const ORDINARY: Fault = Fault {
    id: "",
    place: "",
    made_by: &[],
    header: "Subject: doctor",
    domain: "open.example",
    with: RELAY,
    without: NO_TLS,
};

const FAULTS: [Fault; 14] = [
    Fault {
        id: "postfix-policy-missing",
        place: "main.cf: smtp_tls_policy_maps = ",
        made_by: &["-e", "smtp_tls_policy_maps="],
        with: PLAIN,
        ..ORDINARY
    },
    Fault {
        id: "postfix-policy-missing",
        place: "master.cf: smtp/unix: smtp_tls_policy_maps = ",
        made_by: &["-P", "smtp/unix/smtp_tls_policy_maps="],
        with: PLAIN,
        ..ORDINARY
    },
    Fault {
        id: "postfix-policy-order",
        place: "main.cf: smtp_tls_policy_maps = inline:{open.example=none}, \
                socketmap:unix:connectord/socketmap.sock:tls",
        made_by: &[
            "-e",
            "smtp_tls_policy_maps=inline:{open.example=none}, socketmap:unix:connectord/socketmap.sock:tls",
        ],
        with: PLAIN,
        ..ORDINARY
    },
    Fault {
        id: "postfix-fallback-relay",
        place: "main.cf: smtp_fallback_relay = [relay.lab.example]",
        made_by: &["-e", "smtp_fallback_relay=[relay.lab.example]"],
        ..ORDINARY
    },
    Fault {
        id: "postfix-fallback-relay",
        place: "master.cf: smtp/unix: smtp_fallback_relay = [relay.lab.example]",
        made_by: &["-P", "smtp/unix/smtp_fallback_relay=[relay.lab.example]"],
        ..ORDINARY
    },
    Fault {
        id: "postfix-other-way",
        place: "main.cf: relayhost = [relay.lab.example]",
        made_by: &["-e", "relayhost=[relay.lab.example]"],
        ..ORDINARY
    },
    Fault {
        id: "postfix-other-way",
        place: "main.cf: transport_maps = inline:{open.example=smtp:[relay.lab.example]}",
        made_by: &["-e", "transport_maps=inline:{open.example=smtp:[relay.lab.example]}"],
        ..ORDINARY
    },
    Fault {
        id: "postfix-other-way",
        place: "main.cf: sender_dependent_relayhost_maps = inline:{sender@ours.example=[relay.lab.example]}",
        made_by: &["-e", "sender_dependent_relayhost_maps=inline:{sender@ours.example=[relay.lab.example]}"],
        ..ORDINARY
    },
    Fault {
        id: "postfix-other-way",
        place: "main.cf: sender_dependent_default_transport_maps = \
                inline:{sender@ours.example=smtp:[relay.lab.example]}",
        made_by: &[
            "-e",
            "sender_dependent_default_transport_maps=inline:{sender@ours.example=smtp:[relay.lab.example]}",
        ],
        ..ORDINARY
    },
    Fault {
        id: "postfix-other-way",
        place: "main.cf: default_transport = smtp:[relay.lab.example]",
        made_by: &["-e", "default_transport=smtp:[relay.lab.example]"],
        ..ORDINARY
    },
    Fault {
        id: "postfix-level",
        place: "main.cf: smtp_tls_security_level = none",
        made_by: &["-e", "smtp_tls_security_level=none"],
        domain: "free.example",
        with: "P mx.good.example:25",
        without: GOOD,
        ..ORDINARY
    },
    Fault {
        id: "postfix-fingerprint-digest",
        place: "main.cf: smtp_tls_fingerprint_digest = sha1",
        made_by: &["-e", "smtp_tls_fingerprint_digest=sha1"],
        domain: "pinned.example",
        with: UNVERIFIED,
        without: GOOD,
        ..ORDINARY
    },
    Fault {
        id: "postfix-authorities",
        place: "main.cf: smtp_tls_CAfile = ",
        made_by: &["-e", "smtp_tls_CAfile=", "smtp_tls_CApath="],
        domain: "good.example",
        with: UNVERIFIED,
        without: GOOD,
        ..ORDINARY
    },
    TLS_REQUIRED,
];

/// Only where Postfix knows the header.
const TLS_REQUIRED: Fault = Fault {
    id: "postfix-tls-required",
    place: "main.cf: tls_required_enable = yes",
    made_by: &["-e", "tls_required_enable=yes"],
    header: "TLS-Required: no",
    with: PLAIN,
    ..ORDINARY
};

fn connectors(pinned: &Credentials, open: &str, name: &str) -> String {
    format!(
        r#"
[[outbound]]
name = "open"
mode = "{open}"
domains = ["open.example", "busy.example"]
tls = "encrypt"

[[outbound]]
name = "good"
mode = "enforce"
domains = ["good.example"]
tls = "secure"
match = ["{name}"]

[[outbound]]
name = "pinned"
mode = "enforce"
domains = ["pinned.example"]
tls = "fingerprint"
fingerprints = ["sha256:{}"]
"#,
        pinned.key_digest()
    )
}

/// What was agreed with the partners: the mode of the one, and the name that the other has to show.
#[derive(Clone, Copy)]
struct Terms {
    open: &'static str,
    name: &'static str,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { open: "enforce", name: "mx.good.example" }
    }
}

/// A lab with contrib's settings, and a patient's history: who may have got mail already.
struct Practice {
    lab: Lab,
    partner: Credentials,
}

impl Practice {
    fn open(release: Release) -> Practice {
        let authority = Authority::new("Lab CA");
        let partner = authority.issue(Subject::server(&["mx.good.example"]));
        let host = |name: &str, number, starttls| Host { name: name.to_owned(), number, starttls };
        let hosts = [
            host("mx.plain.example", 10, Starttls::Absent),
            host("relay.lab.example", 11, Starttls::Absent),
            host("mx.good.example", 12, Starttls::Works(partner.server())),
        ];
        let mut zone = Zone::default();
        zone.mx("open.example", "mx.plain.example");
        zone.mx("busy.example", "mx.slow.example");
        zone.address("mx.slow.example", partner_address(SLOW));
        for domain in ["good.example", "pinned.example", "free.example"] {
            zone.mx(domain, "mx.good.example");
        }
        let lab: Lab = Lab::start(release, &authority, &hosts, zone, &[]);
        let directory = lab.machine.directory();
        fs::write(directory.join("certificates/ca-certificates.crt"), authority.pem()).unwrap();
        let practice = Practice { lab, partner };
        practice.agree(Terms::default());
        let program = practice.path("connectord");
        fs::copy(CONNECTORD, &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        practice
    }

    /// A file among Postfix's, which the machine sees.
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.lab.machine.directory().join("etc").join(name)
    }

    /// Agrees on this name for the partner's certificate: with the daemon, whose paths are those of the host, and in
    /// what `doctor` reads, whose paths are those of the machine.
    fn agree(&self, terms: Terms) {
        let connectors = connectors(&self.partner, terms.open, terms.name);
        self.lab.site.configure(&connectors);
        let listen = "[[listen]]\nprotocol = \"socketmap\"\n\
                      path = \"/var/spool/postfix/connectord/socketmap.sock\"\n";
        fs::write(self.path("connectord.toml"), format!("version = 1\n{listen}[mta]\n{connectors}")).unwrap();
    }

    fn postconf(&self, arguments: &[&str]) {
        self.lab.machine.run("postconf", arguments);
        self.lab.machine.run("postfix", &["reload"]);
    }

    /// What `doctor` finds; its exit code says the same.
    fn findings(&self) -> Vec<Value> {
        let arguments = ["doctor", "postfix", "--json", "--config", "/etc/postfix/connectord.toml"];
        let output = self.lab.machine.output("/etc/postfix/connectord", &arguments);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let findings = report["findings"].as_array().unwrap().clone();
        assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())));
        findings
    }

    /// The one finding is this; its commands are run as they are printed, and then there is none.
    fn is_mended(&self, id: &str, place: &str) {
        let findings = self.findings();
        let [finding] = &findings[..] else { panic!("{id} at {place}: {findings:#?}") };
        assert_eq!((finding["id"].as_str(), finding["where"].as_str()), (Some(id), Some(place)));
        let mend: Vec<&str> = finding["mend"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        assert!(mend.len() > 1, "{finding:#?}");
        for command in mend {
            self.lab.machine.run("sh", &["-ec", command]);
        }
        assert_eq!(self.findings(), Vec::<Value>::new(), "after {id} at {place}");
    }

    /// Sends a message; it must meet this fate.
    fn send(&self, header: &str, recipient: &str, fate: &str) {
        self.lab.mta.submit_with(&self.lab.network, header, [recipient]);
        self.lab.met(&fates([(recipient, fate)]));
    }

    fn agree_from_now_on(&self, terms: Terms) {
        self.agree(terms);
        let reload = self.lab.site.json(&["reload", "--json"]);
        assert_eq!(reload["ok"], true, "{reload}");
    }

    /// Sends many messages to a slow host while there is no connector in force, and enforces it when the first has
    /// arrived: how many arrive in plaintext after that.
    fn burst(&self, word: &str) -> usize {
        self.agree_from_now_on(Terms { open: "report", ..Terms::default() });
        let arrived = || {
            let mail = self.lab.partner.mail();
            mail.iter().filter(|mail| mail.recipients[0].starts_with(word) && mail.tls.is_none()).count()
        };
        let recipients: BTreeSet<String> =
            (0..BURST).map(|number| format!("{word}{number}@busy.example")).collect();
        self.lab.mta.submit_by_smtp(&self.lab.network, recipients.iter().map(String::as_str));
        wait_for("the first", || if arrived() > 0 { Ok(()) } else { Err("none".to_owned()) });
        self.agree_from_now_on(Terms::default());
        let before = arrived();
        self.lab.fates(&recipients);
        arrived() - before
    }

    /// Main.cf and master.cf as they were, whatever is done.
    fn with_settings_restored(&self, work: impl FnOnce()) {
        let kept: Vec<_> =
            ["main.cf", "master.cf"].map(|name| (self.path(name), fs::read(self.path(name)).unwrap())).into();
        work();
        for (path, text) in kept {
            restore(&path, &text);
        }
        self.lab.machine.run("postfix", &["reload"]);
    }
}

fn restore(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    // Postfix takes what was written just now for half written.
    let touched = Command::new("touch").args(["-d", "1 minute ago"]).arg(path).status().unwrap();
    assert!(touched.success());
}

fn x2_settings(release: Release) {
    let practice = Practice::open(release);
    let _daemon = practice.lab.site.serve();
    assert_eq!(practice.findings(), Vec::<Value>::new(), "contrib's settings");
    practice.send(ORDINARY.header, "first@open.example", NO_TLS);
    practice.send(ORDINARY.header, "first@good.example", GOOD);
    for (number, fault) in FAULTS.iter().enumerate() {
        if fault.id == TLS_REQUIRED.id && release.version == "3.7" {
            continue;
        }
        let recipient = |word: &str| format!("{word}{number}@{}", fault.domain);
        practice.with_settings_restored(|| {
            practice.postconf(fault.made_by);
            practice.send(fault.header, &recipient("with"), fault.with);
            practice.is_mended(fault.id, fault.place);
            practice.send(fault.header, &recipient("without"), fault.without);
        });
    }
}

/// A tightened name, which a session from before does not know of.
fn x2_sessions(release: Release) {
    let practice = Practice::open(release);
    let _daemon = practice.lab.site.serve();
    practice.postconf(&["-e", "smtp_tls_session_cache_database=btree:${data_directory}/smtp_scache"]);
    practice.send(ORDINARY.header, "before@good.example", GOOD);
    practice.agree_from_now_on(Terms { name: "mx.elsewhere.example", ..Terms::default() });
    practice.send(ORDINARY.header, "tightened@good.example", GOOD);
    practice.is_mended(
        "postfix-session-cache",
        "main.cf: smtp_tls_session_cache_database = btree:/var/lib/postfix/smtp_scache",
    );
    practice.send(ORDINARY.header, "mended@good.example", UNVERIFIED);
}

/// A connector that comes into force while there is much to send.
fn x2_burst(release: Release) {
    let mut practice = Practice::open(release);
    let slow = Host { name: "mx.slow.example".to_owned(), number: SLOW, starttls: Starttls::Absent };
    let address = SocketAddr::new(partner_address(SLOW), 25);
    practice.lab.partner.listen(&practice.lab.network.partner, &slow, address, Duration::from_millis(30));
    let _daemon = practice.lab.site.serve();
    practice.postconf(&["-e", "smtp_connection_cache_on_demand=yes", "smtp_destination_concurrency_limit=1"]);
    let late = practice.burst("with");
    // Postfix 3.10 asks again when the level is another one.
    assert!(late > BURST / 2 || release.version != "3.7" && late <= 1, "{late}");
    practice.is_mended("postfix-connection-cache", "main.cf: smtp_connection_cache_on_demand = yes");
    // The one that was on its way.
    let late = practice.burst("without");
    assert!(late <= 1, "{late}");
}

on_each_postfix!(x2_settings, x2_sessions, x2_burst);
