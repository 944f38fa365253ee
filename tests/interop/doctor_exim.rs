//! `doctor exim`: on a real Exim each fault lets mail go round a connector, or keeps it; `doctor` names the fault, and
//! nothing else; its commands are run as printed; then the way is closed, and `doctor` is silent.

use crate::certificates::{Authority, Credentials, Subject};
use crate::exim_practice::Practice;
use crate::impostor::{self, Impostor};
use crate::lab::{Lab, fates};
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const PLAIN: &str = "P mx.plain.example:25";

pub const TOO_OLD: &str = "D TLS session";

pub const OLD: &str = "T mx.old.example:25";

const NO_TLS: &str = "D a TLS session is required, but the server did not offer TLS support";

const UNTRUSTED: &str = "D TLS session: (certificate verification failed)";

const REFUSED: &str = "D TLS session: (gnutls_handshake): Error in the certificate";

/// All outbound connectors.
pub const ALL: &[&str] = &["open", "self", "wrong", "private", "other", "pinned", "records", "modern", "lax"];

/// A fault, and what shows it.
struct Fault {
    id: &'static str,
    /// Where `doctor` says that it is, and whom it is about.
    place: &'static str,
    connectors: &'static [&'static str],
    /// What makes it, for a shell in /etc/exim4.
    made_by: &'static str,
    /// To whom, and what becomes of the mail with the fault and without.
    domain: &'static str,
    with: &'static str,
    without: &'static str,
}

const ORDINARY: Fault = Fault {
    id: "",
    place: "",
    connectors: ALL,
    made_by: "",
    domain: "open.example",
    with: PLAIN,
    without: NO_TLS,
};

/// The router that asks.
const ASKS: &str = "router connectord_ask: address_data = ${readsocket{/run/connectord/exim.sock}\
                    {out domain=${quote:$domain} sender=${quote:$sender_address_domain}\\n}{3s:cache=yes}{ }{end=no}}";

const FAULTS: &[Fault] = &[
    Fault {
        id: "exim-routers-missing",
        place: "begin routers",
        made_by: "rm conf.d/router/05_connectord",
        ..ORDINARY
    },
    // The daemon is asked, and nobody does what it says.
    Fault {
        id: "exim-routers-missing",
        place: ASKS,
        made_by: "sed -i 's/transport = connectord_.*/transport = remote_smtp/' connectord/routers",
        ..ORDINARY
    },
    // All of them are for some mail only.
    Fault {
        id: "exim-routers-missing",
        place: "router connectord_ask: senders = boss@ours.example",
        made_by: "sed -i 's/^  driver = .*/&\\n  senders = boss@ours.example/' connectord/routers",
        ..ORDINARY
    },
    Fault {
        id: "exim-routers-missing",
        place: "router connectord_ask: domains = ! +local_domains : ! open.example",
        connectors: &["open"],
        made_by: "sed -i 's/^  domains = ! +local_domains/& : ! open.example/' connectord/routers",
        ..ORDINARY
    },
    Fault {
        id: "exim-router-before",
        place: "router site_first: domains = ! +local_domains",
        made_by: "printf 'site_first:\\n driver = dnslookup\\n domains = ! +local_domains\\n transport = remote_smtp\\n' \
                  > conf.d/router/01_site",
        ..ORDINARY
    },
    Fault {
        id: "exim-router-before",
        place: "router site_one: domains = ours.example : open.example",
        connectors: &["open"],
        made_by: "printf 'site_one:\\n driver = manualroute\\n domains = ours.example : open.example\\n \
                  route_data = mx.plain.example\\n transport = remote_smtp\\n' > conf.d/router/01_site",
        ..ORDINARY
    },
    Fault {
        id: "exim-router-before",
        place: "router site_between: domains = ! +local_domains",
        made_by: "printf 'site_between:\\n driver = dnslookup\\n domains = ! +local_domains\\n transport = remote_smtp\\n' \
                  > site; sed -i '/^connectord_smarthost:/e cat site' connectord/routers",
        ..ORDINARY
    },
    Fault {
        id: "exim-tls-not-required",
        place: "transport connectord_encrypt: hosts_require_tls = ",
        connectors: &["open", "modern", "lax"],
        made_by: "sed -i '/hosts_require_tls/d' connectord/transports",
        ..ORDINARY
    },
    // A question in a list of hosts, which fails while nobody answers there.
    Fault {
        id: "exim-tls-not-required",
        place: "transport connectord_encrypt: hosts_require_tls = ${readsocket{/run/nobody.sock}{tls}}",
        connectors: &["open", "modern", "lax"],
        made_by: "sed -i '/^connectord_encrypt:/,/^$/s|hosts_require_tls = .*|hosts_require_tls = \
                  ${readsocket{/run/nobody.sock}{tls}}|' connectord/transports",
        ..ORDINARY
    },
    Fault {
        id: "exim-chain",
        place: "transport connectord_cert: tls_verify_hosts = ",
        connectors: &["self", "private", "other"],
        made_by: "sed -i '/^connectord_cert:/,/^$/s/tls_verify_hosts = [*]/tls_verify_hosts =/' connectord/transports",
        domain: "self.example",
        with: "T mx.self.example:25",
        without: UNTRUSTED,
    },
    Fault {
        id: "exim-host-name",
        place: "transport connectord_host: tls_verify_cert_hostnames = ",
        connectors: &["wrong"],
        made_by: "sed -i '/^connectord_host:/,/^$/s/tls_verify_cert_hostnames = [*]/tls_verify_cert_hostnames =/' \
                  connectord/transports",
        domain: "wrong.example",
        with: "T mx.wrong.example:25",
        without: UNTRUSTED,
    },
    Fault {
        id: "exim-anchors",
        place: "transport connectord_cert: tls_verify_certificates = system",
        connectors: &["self", "private", "other"],
        made_by: "sed -i '/^connectord_cert:/,/^$/s/= CONNECTORD_ANCHORS/= system/' connectord/transports",
        domain: "private.example",
        with: "T mx.good.example:25",
        without: UNTRUSTED,
    },
    Fault {
        id: "exim-certificate-question",
        place: "transport connectord_cert: authenticated_sender = ",
        connectors: &["self", "private", "other"],
        made_by: "sed -i '/^connectord_cert:/,/^$/{/event_action/d;/authenticated_sender/d}' connectord/transports",
        domain: "other.example",
        with: "T mx.good.example:25",
        without: REFUSED,
    },
    // The word ok is in the name that does not match.
    Fault {
        id: "exim-certificate-question",
        place: "transport connectord_cert: authenticated_sender = ",
        connectors: &["self", "private", "other"],
        made_by: "sed -i '/^connectord_cert:/,/^$/{/authenticated_sender/d;s/event_action = .*/event_action = \
                  ${if and{{eq{$event_name}{tls:cert}}{eq{$event_data}{0}}}{${if match{${readsocket{CONNECTORD_SOCKET}\
                  {cert domain=$domain host=$host answer=${quote:$address_data} der=${base64:$tls_out_peercert}\\\\n}\
                  {3s}{}{no}}}{ok}{}{refused}}}{}}/}' connectord/transports",
        domain: "other.example",
        with: "T mx.good.example:25",
        without: REFUSED,
    },
    Fault {
        id: "exim-certificate-question",
        place: "transport connectord_pin: authenticated_sender = ",
        connectors: &["pinned"],
        made_by: "sed -i '/^connectord_pin:/,/^$/{/event_action/d;/authenticated_sender/d}' connectord/transports",
        domain: "pinned.example",
        with: "T mx.good.example:25",
        without: REFUSED,
    },
    Fault {
        id: "exim-dane-records",
        place: "transport connectord_dane: authenticated_sender = ",
        connectors: &["records"],
        made_by: "sed -i '/^connectord_dane:/,${/authenticated_sender/d}' connectord/transports",
        domain: "records.example",
        with: "T mx.good.example:25",
        without: "D the host has no usable TLSA records",
    },
    Fault {
        id: "exim-transport-missing",
        place: "begin transports",
        connectors: &["open", "modern", "lax"],
        made_by: "sed -i '/^connectord_encrypt:/,/^$/d' connectord/transports",
        domain: "lax.example",
        with: "D not found in connectord_mx router",
        without: OLD,
    },
    Fault {
        id: "exim-minimum-version",
        place: "transport connectord_encrypt: tls_require_ciphers = ",
        connectors: &["modern"],
        made_by: "sed -i '/^connectord_encrypt:/,/^$/{/tls_require_ciphers/d}' connectord/transports",
        domain: "modern.example",
        with: OLD,
        without: TOO_OLD,
    },
];

fn connectors(good: &Credentials) -> String {
    let connector = |name: &str, keys: &str| {
        format!(
            "[[outbound]]\nname = \"{name}\"\nmode = \"enforce\"\ndomains = [\"{name}.example\"]\n{keys}\n"
        )
    };
    let another = Authority::new("Another CA").issue(Subject::server(&["mx.good.example"]));
    let pin = format!("tls = \"fingerprint\"\nfingerprints = [\"sha256:{}\"]", another.certificate_digest());
    assert_ne!(another.certificate_digest(), good.certificate_digest());
    [
        ("open", "tls = \"encrypt\""),
        ("self", "tls = \"secure\"\nmatch = [\"mx.self.example\"]"),
        ("wrong", "tls = \"verify\""),
        ("private", "tls = \"secure\"\nmatch = [\"mx.good.example\"]\nca_file = \"private.pem\""),
        ("other", "tls = \"secure\"\nmatch = [\"mx.ok.example\"]"),
        ("pinned", &pin),
        ("records", "tls = \"dane-only\""),
        ("modern", "tls = \"encrypt\"\nprotocols = \">=TLSv1.3\""),
        ("lax", "tls = \"encrypt\""),
    ]
    .map(|(name, keys)| connector(name, keys))
    .concat()
}

pub fn practice(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let good = authority.issue(Subject::server(&["mx.good.example"]));
    let own = Subject::server(&["mx.self.example"]).self_signed();
    let wrong = authority.issue(Subject::server(&["mx.elsewhere.example"]));
    let host = |name: &str, number, starttls| Host { name: format!("mx.{name}.example"), number, starttls };
    let hosts = [
        host("plain", 10, Starttls::Absent),
        host("good", 11, Starttls::Works(good.server())),
        host("self", 12, Starttls::Works(own.server())),
        host("wrong", 13, Starttls::Works(wrong.server())),
        host("old", 14, Starttls::Works(good.server_of_tls_1_2())),
    ];
    let mut zone = Zone::default();
    for (domain, host) in [
        ("open", "plain"),
        ("self", "self"),
        ("wrong", "wrong"),
        ("private", "good"),
        ("other", "good"),
        ("pinned", "good"),
        ("records", "good"),
        ("modern", "old"),
        ("lax", "old"),
        ("free", "old"),
    ] {
        zone.mx(&format!("{domain}.example"), &format!("mx.{host}.example"));
    }
    let practice = Practice::new(Lab::start(release, &authority, &hosts, zone, &[]));
    practice.write("private.pem", &Authority::new("Private CA").pem());
    practice.agree(&connectors(&good));
    practice
}

/// No transport of ours is read: one finding for each word.
fn x2_no_transports(release: Release) {
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    practice.shell("rm /etc/exim4/conf.d/transport/20_connectord; update-exim4.conf");
    practice.send("with@lax.example", "D not found in connectord_mx router");
    let findings = practice.findings();
    assert!(findings.len() == 5 && findings.iter().all(|finding| finding["id"] == "exim-transport-missing"));
    practice.mend(&findings[0]);
    practice.is_well();
    practice.send("without@lax.example", OLD);
}

fn x2_settings(release: Release) {
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    practice.is_well();
    for (number, fault) in FAULTS.iter().enumerate() {
        practice.with_files_restored(|| {
            practice.shell(&format!("cd /etc/exim4; {}; update-exim4.conf", fault.made_by));
            practice.send(&format!("with{number}@{}", fault.domain), fault.with);
            practice.is_mended(fault.id, fault.place, fault.connectors);
            practice.send(&format!("without{number}@{}", fault.domain), fault.without);
        });
    }
    practice.is_well();
}

/// An address that the site makes of another one, and sends on past the question. Whoever wrote that takes it away.
fn x2_redirected(release: Release) {
    let practice = practice(release);
    let _daemon = practice.lab.site.serve();
    let forward = |user: &str, router: &str| {
        practice.shell(&format!(
            "printf 'site_forward:\\n driver = redirect\\n domains = ours.example\\n data = $local_part@open.example\\n\
             {router}\\n' > /etc/exim4/conf.d/router/01_site; update-exim4.conf"
        ));
        practice.forget();
        practice.lab.send_now(&format!("{user}@ours.example"));
    };
    let met = |name: &str, fate: &str| practice.lab.met(&fates([(name, fate)]));
    forward("with", " redirect_router = dnslookup");
    met("with@open.example", PLAIN);
    let finding =
        practice.finds("exim-router-before", "router site_forward: redirect_router = dnslookup", ALL);
    assert_eq!(finding["mend"].as_array().map(Vec::len), Some(0));
    assert!(finding["message"].as_str().unwrap().contains("without redirect_router"), "{finding}");
    forward("without", "");
    practice.is_well();
    // The log names the address that came.
    met("without@ours.example", NO_TLS);
}

/// A daemon that dies in the middle of an answer.
fn x2_cut_short(release: Release) {
    const NO_ANSWER: &str = "D connectord: no valid answer for this domain";
    let practice = practice(release);
    let site = &practice.lab.site;
    let _impostor = Impostor::start(&site.exim(), &site.behind(), |_| {
        Some(impostor::Fault::says("status=ok tls=default"))
    });
    for (number, (place, made_by)) in [
        (ASKS, "/^connectord_wait:/,/^$/d"),
        (
            "router connectord_wait: condition = ${if eq{${extract{status}{$address_data}}}{ok}{no}{yes}}",
            "/^connectord_wait:/,/^$/s/condition = .*/condition = \
             ${if eq{${extract{status}{$address_data}}}{ok}{no}{yes}}/; /^[{]match/d",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        practice.with_files_restored(|| {
            practice.shell(&format!("sed -i '{made_by}' /etc/exim4/connectord/routers; update-exim4.conf"));
            practice.send(&format!("with{number}@open.example"), PLAIN);
            practice.is_mended("exim-answer-unchecked", place, ALL);
            practice.send(&format!("without{number}@open.example"), NO_ANSWER);
        });
    }
}

on_each_exim!(x2_settings, x2_no_transports, x2_redirected, x2_cut_short);
