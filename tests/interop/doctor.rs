//! `doctor`: on a real Postfix each fault lets mail go round a connector, or keeps it; `doctor` names the fault, and
//! nothing else; its commands are run as printed; then the way is closed, and `doctor` is silent.

use std::collections::BTreeSet;

use crate::certificates::{Authority, Credentials, Subject};
use crate::condition::wait_for;
use crate::lab::Mta as _;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

/// Messages that are sent to one partner at once, of which so many have arrived when another thing is agreed.
const BURST: usize = 8;
const EARLY: usize = 3;

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

const FAULTS: [Fault; 16] = [
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
        id: "postfix-socket-path",
        place: "main.cf: smtp_tls_policy_maps = socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls",
        made_by: &[
            "-e",
            "smtp_tls_policy_maps=socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls",
        ],
        domain: "free.example",
        with: "D client TLS configuration problem",
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
    Fault {
        id: "postfix-tlsproxy-missing",
        place: "main.cf: smtp_tls_connection_reuse = yes",
        made_by: &["-e", "smtp_tls_connection_reuse=yes"],
        domain: "good.example",
        with: "D ",
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
domains = ["open.example"]
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

const AGREED: Terms = Terms { open: "enforce", name: "mx.good.example" };

/// A practice with partners.
struct Patients {
    practice: Practice,
    good: Credentials,
}

impl Patients {
    fn new(release: Release) -> Patients {
        let authority = Authority::new("Lab CA");
        let good = authority.issue(Subject::server(&["mx.good.example"]));
        let host = |name: &str, number, starttls| Host { name: name.to_owned(), number, starttls };
        let hosts = [
            host("mx.plain.example", 10, Starttls::Absent),
            host("relay.lab.example", 11, Starttls::Absent),
            host("mx.good.example", 12, Starttls::Works(good.server())),
        ];
        let mut zone = Zone::default();
        zone.mx("open.example", "mx.plain.example");
        for domain in ["good.example", "pinned.example", "free.example"] {
            zone.mx(domain, "mx.good.example");
        }
        let patients = Patients { practice: Practice::open(release, &authority, &hosts, zone), good };
        patients.practice.agree(&patients.connectors(AGREED));
        patients
    }

    fn connectors(&self, terms: Terms) -> String {
        connectors(&self.good, terms.open, terms.name)
    }

    fn agree(&self, terms: Terms) {
        self.practice.agree_from_now_on(&self.connectors(terms));
    }

    /// Sends many messages to a domain at these terms, one after the other, and has agreed to others when the third has
    /// arrived and is not answered yet: how many arrive after that.
    fn burst(&self, word: &str, domain: &str, before: Terms) -> usize {
        let lab = &self.practice.lab;
        self.agree(before);
        let recipients: BTreeSet<String> =
            (0..BURST).map(|number| format!("{word}{number}@{domain}")).collect();
        let arrived = || {
            let mail = lab.partner.mail();
            mail.iter().filter(|mail| recipients.contains(&mail.recipients[0])).count()
        };
        // Connections are kept while there is more to send: all of it has to be there.
        lab.partner.answer(0);
        lab.mta.submit_by_smtp(&lab.network, recipients.iter().map(String::as_str));
        wait_for("the active queue", || {
            let queue = lab.mta.queue(&lab.machine);
            let active = queue.iter().filter(|queued| queued.queue == "active");
            let active = active.filter(|queued| recipients.contains(&queued.recipient)).count();
            if active == BURST { Ok(()) } else { Err(format!("{queue:?}")) }
        });
        lab.partner.answer(EARLY - 1);
        wait_for("the early ones", || if arrived() == EARLY { Ok(()) } else { Err(arrived().to_string()) });
        self.agree(Terms { name: "mx.elsewhere.example", ..AGREED });
        lab.partner.answer(usize::MAX);
        lab.fates(&recipients);
        arrived() - EARLY
    }

    /// For each setting that keeps connections: what it brings, if it `shows`, the finding about it, and its end.
    fn bursts(&self, domain: &str, before: Terms, shows: bool) {
        let practice = &self.practice;
        // How long they are kept is longer than anything takes here.
        practice.postconf(&[
            "-e",
            "smtp_destination_concurrency_limit=1",
            "connection_cache_ttl_limit=1h",
            "smtp_connection_cache_time_limit=1h",
        ]);
        for (number, (name, value)) in
            [("smtp_connection_cache_on_demand", "yes"), ("smtp_connection_cache_destinations", domain)]
                .into_iter()
                .enumerate()
        {
            practice.postconf(&["-e", &format!("{name}={value}")]);
            let late = self.burst(&format!("with{number}-"), domain, before);
            assert_eq!(late > 0, shows, "{name}: {late}");
            practice.is_mended("postfix-connection-cache", &format!("main.cf: {name} = {value}"));
            assert_eq!(self.burst(&format!("without{number}-"), domain, before), 0, "{name}");
        }
    }
}

fn x2_settings(release: Release) {
    let patients = Patients::new(release);
    let practice = &patients.practice;
    let _daemon = practice.serve();
    practice.is_well();
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

/// What contrib offers besides is no fault.
fn x2_contrib_services(release: Release) {
    let patients = Patients::new(release);
    let practice = &patients.practice;
    let _daemon = practice.serve();
    let lab = &practice.lab;
    let own = include_str!("../../contrib/postfix/master.cf.connectord");
    let filter = include_str!("../../contrib/postfix/master.cf.after-filter");
    let to_filter = "smtp-amavis unix - - y - 2 smtp\n    -o smtp_tls_policy_maps=\n    -o smtp_tls_security_level=none\n";
    practice.with_settings_restored(|| {
        lab.mta.add_services(&lab.machine, &format!("{own}{filter}{to_filter}"));
        practice.is_well();
        practice.postconf(&["-e", "transport_maps=socketmap:unix:connectord/socketmap.sock:transport"]);
        practice.agree_from_now_on(
            &patients.connectors(AGREED).replace("tls = ", "transport = \"connectord-smtp\"\ntls = "),
        );
        practice.is_well();
        // main.cf cannot weaken those.
        practice.postconf(&["-e", "smtp_fallback_relay=[relay.lab.example]", "smtp_tls_security_level=dane"]);
        practice.is_well();
    });
    practice.agree_from_now_on(&patients.connectors(AGREED));
    practice.postconf(&["-e", "smtp_tls_security_level=encrypt"]);
    practice.is_well();
}

/// A tightened name, which a session from before does not know of.
fn x2_sessions(release: Release) {
    let patients = Patients::new(release);
    let practice = &patients.practice;
    let _daemon = practice.serve();
    practice.postconf(&["-e", "smtp_tls_session_cache_database=btree:${data_directory}/smtp_scache"]);
    practice.send(ORDINARY.header, "before@good.example", GOOD);
    patients.agree(Terms { name: "mx.elsewhere.example", ..AGREED });
    practice.send(ORDINARY.header, "tightened@good.example", GOOD);
    practice.is_mended(
        "postfix-session-cache",
        "main.cf: smtp_tls_session_cache_database = btree:/var/lib/postfix/smtp_scache",
    );
    practice.send(ORDINARY.header, "mended@good.example", UNVERIFIED);
}

/// A connector that comes into force while there is much to send. Postfix 3.10 asks again, and looks at the level.
fn x2_burst(release: Release) {
    let patients = Patients::new(release);
    let _daemon = patients.practice.serve();
    patients.bursts("open.example", Terms { open: "report", ..AGREED }, release.version == "3.7");
}

/// A name that is tightened while there is much to send over TLS connections that are kept open: the level stays as it was.
fn x2_burst_over_tls(release: Release) {
    let patients = Patients::new(release);
    let practice = &patients.practice;
    let _daemon = practice.serve();
    let lab = &practice.lab;
    lab.mta.add_services(&lab.machine, "tlsproxy unix - - y - 0 tlsproxy\n");
    practice.postconf(&["-e", "smtp_tls_connection_reuse=yes"]);
    patients.bursts("good.example", AGREED, true);
}

on_each_postfix!(x2_settings, x2_contrib_services, x2_sessions, x2_burst, x2_burst_over_tls);
