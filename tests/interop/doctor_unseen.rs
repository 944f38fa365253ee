//! `doctor` and what it could not see of tables: it has advice while nothing is wrong, and a name that it does not ask for
//! shows that the advice was right.

use crate::certificates::{Authority, Subject};
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const PLAIN: &str = "P mx.plain.example:25";

const NO_TLS: &str = "D TLS is required, but was not offered";

const CONNECTORS: &str = r#"
[[outbound]]
name = "open"
mode = "enforce"
domains = ["*.open.example"]
tls = "encrypt"

[[outbound]]
name = "good"
mode = "enforce"
domains = ["*.good.example"]
tls = "secure"
match = ["*.good.example"]
"#;

fn open(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let good = authority.issue(Subject::server(&["mx.good.example"]));
    let host = |name: &str, number, starttls| Host { name: name.to_owned(), number, starttls };
    let hosts = [
        host("mx.plain.example", 10, Starttls::Absent),
        host("relay.lab.example", 11, Starttls::Absent),
        host("mx.good.example", 12, Starttls::Works(good.server())),
    ];
    let mut zone = Zone::default();
    for domain in ["open.example", "sub.open.example"] {
        zone.mx(domain, "mx.plain.example");
    }
    zone.mx("good.example", "mx.good.example");
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

const CASES: [Case; 2] =
    [BEFORE, Case { today: "open.example secure\n", tomorrow: "open.example may\n", ..BEFORE }];

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
