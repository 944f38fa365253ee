//! Client certificates with names that mean something to a program in between: none gets past
//! Exim and connectord as anything but one name.

use std::net::IpAddr;

use rustls::ALL_VERSIONS;

use crate::certificates::{Authority, Credentials, Purpose, Subject};
use crate::client::{Client, tls};
use crate::exim::Exim;
use crate::lab::Lab;
use crate::network::{OURS, partner_address};
use crate::on_each_exim;
use crate::resolver::Zone;
use crate::root::Release;
use crate::transaction::Transaction;

const CONNECTORS: &str = r#"
[[inbound]]
name = "contoso"
mode = "enforce"
identify.domains = ["contoso.example"]
require.certificate.names = ["*.contoso.example"]
on_violation = "reject"
"#;

/// A certificate of the CA that Exim trusts, and what its owner is told.
struct Case {
    common_name: Option<&'static str>,
    names: &'static [&'static str],
    outcome: &'static str,
}

const fn case(
    common_name: Option<&'static str>,
    names: &'static [&'static str],
    outcome: &'static str,
) -> Case {
    Case { common_name, names, outcome }
}

const MAIL: &str = "mail.contoso.example";
const UNTRUSTED: &str = "MAIL 550 5.7.1 connector contoso: client certificate is not trusted";
const UNNAMED: &str = concat!(
    "MAIL 550 5.7.1 connector contoso: ",
    "client certificate shows no name, *.contoso.example is required"
);
const OTHER: &str = concat!(
    "MAIL 550 5.7.1 connector contoso: ",
    "certificate name mail.elsewhere.example does not match *.contoso.example"
);

/// More names than a question to the daemon has room for: it refuses to read it, and Exim waits.
const TOO_MANY: &str = "MAIL 451 4.3.5 policy service ";

/// Lines, keys, ends and quotes of both languages: the line protocol's and the policy delegation's.
const CASES: &[Case] = &[
    case(Some(MAIL), &[], "taken"),
    case(None, &[MAIL], "taken"),
    case(Some("mail.elsewhere.example"), &[MAIL], "taken"),
    case(Some(MAIL), &["mail.elsewhere.example"], "taken"),
    case(Some("x\ncv=1"), &[], UNNAMED),
    case(Some("x\n end=ok"), &[], UNNAMED),
    case(Some("x\nin ip=192.0.2.66 cv=1"), &[], UNNAMED),
    case(Some("x\nmail.contoso.example"), &[], UNNAMED),
    case(Some("mail.contoso.example\n"), &[], UNNAMED),
    case(Some("mail.contoso.example\nx"), &[], UNNAMED),
    case(Some("mail.contoso.example\0.elsewhere.example"), &[], UNNAMED),
    case(Some("mail.contoso.example mail.elsewhere.example"), &[], UNNAMED),
    case(Some("x,CN=mail.contoso.example"), &[], UNNAMED),
    case(Some("\" cv=1 sender=\"x"), &[], UNNAMED),
    case(Some("${if eq{1}{1}{mail.contoso.example}}"), &[], UNNAMED),
    case(Some("mail.elsewhere.example"), &["x\nmail.contoso.example"], OTHER),
    case(Some("mail.elsewhere.example"), &["mail.contoso.example\nx"], OTHER),
    case(Some("mail.elsewhere.example"), &["mail.contoso.example\0.elsewhere.example"], OTHER),
    case(Some("mail.elsewhere.example"), &["x,DNS:mail.contoso.example"], OTHER),
    case(Some("mail.elsewhere.example"), &["x:mail.contoso.example"], OTHER),
    case(Some("mail.elsewhere.example"), &["*.elsewhere.example", "*"], OTHER),
    case(Some("mail.elsewhere.example"), &[".contoso.example", "*.example"], OTHER),
    // A name for all hosts of the partner, in the certificate as in the connector.
    case(None, &["*.contoso.example"], "taken"),
    case(Some("*.contoso.example"), &[], "taken"),
];

/// What the owner of a certificate is told.
fn told(lab: &Lab<Exim>, owner: &Credentials) -> String {
    let mut client = Client::connect(&lab.network.partner, partner_address(77), IpAddr::V4(OURS));
    client.expect("250", "EHLO mail.contoso.example");
    client = client.starttls(&tls(Some(owner), ALL_VERSIONS));
    client.expect("250", "EHLO mail.contoso.example");
    Transaction::new("bob@contoso.example", &["carol@ours.example"]).run(&mut client)
}

fn subject<'a>(common_name: Option<&'a str>, names: &'a [&'a str]) -> Subject<'a> {
    Subject { common_name, names, expired: false, purpose: Purpose::Client }
}

fn names(release: Release) {
    let authority = Authority::new("Lab CA");
    let stranger = Authority::new("Unknown CA");
    let lab: Lab<Exim> = Lab::start(release, &authority, &[], Zone::default(), &["queue_only"]);
    lab.site.configure(CONNECTORS);
    let _daemon = lab.site.serve();
    let mut wrong = Vec::new();
    for case in CASES {
        let subject = subject(case.common_name, case.names);
        let owners = [
            ("trusted", authority.issue(subject), case.outcome),
            ("of an unknown CA", stranger.issue(subject), UNTRUSTED),
            ("self-signed", subject.self_signed(), UNTRUSTED),
        ];
        for (whose, owner, expected) in owners {
            let seen = told(&lab, &owner);
            if seen != expected {
                let Case { common_name, names, .. } = case;
                wrong.push(format!("{whose} {common_name:?} {names:?}: expected {expected}, saw {seen}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let many: Vec<String> = (0..2000).map(|number| format!("host{number}.contoso.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let owner = |count: usize| authority.issue(subject(None, &many[..count]));
    assert_eq!(told(&lab, &owner(1000)), "taken");
    let too_many = told(&lab, &owner(2000));
    assert!(too_many.starts_with(TOO_MANY), "{too_many}");

    // Nor does a name begin a line of the log.
    for line in lab.site.log().lines() {
        let level = line.split(' ').nth(1);
        assert!(matches!(level, Some("info" | "warn")), "{line}");
    }
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(names);
