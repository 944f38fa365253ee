//! `doctor` and what it could not see of tables: it has advice while nothing is wrong, and a name that it does not ask for
//! shows that the advice was right.

use crate::certificates::Authority;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const PLAIN: &str = "P mx.plain.example:25";

const RELAY: &str = "P relay.lab.example:25";

const NO_TLS: &str = "D TLS is required, but was not offered";

const CONNECTORS: &str = r#"
[[outbound]]
name = "open"
mode = "enforce"
domains = ["*.open.example"]
tls = "encrypt"
"#;

fn open(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let hosts = [("mx.plain.example", 10), ("relay.lab.example", 11)].map(|(name, number)| Host {
        name: name.to_owned(),
        number,
        starttls: Starttls::Absent,
    });
    let mut zone = Zone::default();
    for domain in ["open.example", "sub.open.example"] {
        zone.mx(domain, "mx.plain.example");
    }
    let practice = Practice::open(release, &authority, &hosts, zone);
    practice.agree(CONNECTORS);
    practice
}

/// A table of which advice is all that there is.
struct Case {
    id: &'static str,
    setting: &'static str,
    list: &'static str,
    /// The file that it reads: what is in it while all is well, and what somebody writes into it.
    file: &'static str,
    today: &'static str,
    tomorrow: &'static str,
    /// What is found then.
    then: &'static str,
    /// The domain of those who get mail, and what becomes of it then.
    domain: &'static str,
    with: &'static str,
}

const BEFORE: Case = Case {
    id: "postfix-policy-before",
    setting: "smtp_tls_policy_maps",
    list: "texthash:/etc/postfix/policy, socketmap:unix:connectord/socketmap.sock:tls",
    file: "policy",
    today: "elsewhere.example none\n",
    tomorrow: "elsewhere.example none\nopen.example none\n",
    then: "postfix-policy-order",
    domain: "open.example",
    with: PLAIN,
};

const WAY: Case = Case {
    id: "postfix-way-unseen",
    setting: "transport_maps",
    list: "regexp:/etc/postfix/ways, socketmap:unix:connectord/socketmap.sock:transport",
    file: "ways",
    today: "/@elsewhere\\.example$/ smtp:[relay.lab.example]\n",
    tomorrow: "/^tomorrow.*@open\\.example$/ smtp:[relay.lab.example]\n",
    then: "postfix-way-unseen",
    domain: "open.example",
    with: RELAY,
};

/// Without the daemon.
const WAY_ALONE: Case = Case { list: "regexp:/etc/postfix/ways", ..WAY };

const SUBDOMAIN: &str = "/@sub\\.open\\.example$/ smtp:[relay.lab.example]\n";

const POLICY: Case = Case {
    id: "postfix-policy-unseen",
    setting: "smtp_tls_policy_maps",
    list: "regexp:/etc/postfix/policies",
    file: "policies",
    today: "/(^|\\.)open\\.example$/ encrypt\n",
    tomorrow: "/^sub\\.open\\.example$/ none\n/(^|\\.)open\\.example$/ encrypt\n",
    then: "postfix-policy-unseen",
    domain: "sub.open.example",
    with: PLAIN,
};

const CASES: [Case; 7] = [
    BEFORE,
    Case { today: "open.example secure\n", tomorrow: "open.example may\n", ..BEFORE },
    WAY,
    Case { tomorrow: SUBDOMAIN, domain: "sub.open.example", ..WAY },
    WAY_ALONE,
    Case { tomorrow: SUBDOMAIN, domain: "sub.open.example", ..WAY_ALONE },
    POLICY,
];

fn x2_advice(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    let send = |recipient: String, fate: &str| practice.send("Subject: doctor", &recipient, fate);
    for (number, case) in CASES.iter().enumerate() {
        let place = format!("main.cf: {} = {}", case.setting, case.list);
        let recipient = |word: &str| format!("{word}{number}@{}", case.domain);
        practice.with_settings_restored(|| {
            practice.write_table(case.file, case.today);
            practice.postconf(&["-e", &format!("{}={}", case.setting, case.list)]);
            send(recipient("today"), NO_TLS);
            let advice = practice.finds(case.id, &place);
            practice.write_table(case.file, case.tomorrow);
            practice.reload_postfix();
            send(recipient("tomorrow"), case.with);
            practice.finds(case.then, &place);
            practice.obey(&advice);
            practice.is_well();
            send(recipient("mended"), NO_TLS);
        });
    }
}

on_each_postfix!(x2_advice);
