//! What somebody at a terminal sees of `connectord validate`.

use crate::behaviours::server;
use crate::certificates::Authority;
use crate::examiner::{Absent, Examiner};
use crate::exhibits::Signers;
use crate::forge::{Form, YEAR};
use crate::lab::Lab;
use crate::network::{partner_address, partner_address_v6};
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::{POSTFIX_3_10, possible};

const CONNECTOR: &str = r#"
[[outbound]]
name = "contoso-bank"
mode = "off"
domains = ["*.contoso.com"]
tls = "secure"
match = ["*.contoso.com"]
"#;

const DAY: i64 = 24 * 60 * 60;

/// A line for each address as soon as it is known, a blank one, and then the report, with nothing
/// of a terminal in it.
#[test]
fn a_line_for_each_address() {
    if !possible() {
        return;
    }
    let authority = Authority::new("Lab CA");
    let signers = Signers::new(&authority);
    let now = Form::server(&[]).from + YEAR;
    let mut zone = Zone::default();
    let mut hosts = Vec::new();
    for (number, place, certified, days) in [
        (10, "mx1", "mx1.contoso.com", 200),
        (11, "mx2", "mx2.contoso.com", 10),
        (12, "mx3", "contoso-com.mail.cloudfilter.example", 90),
    ] {
        let name = format!("{place}.contoso.com");
        zone.mx("contoso.com", &name);
        zone.address(&name, partner_address_v6(number));
        let form = Form { to: now + days * DAY + 3600, ..Form::server(&[certified]) };
        let starttls = Starttls::Shows(server(&form.issued_by(&signers.root), &[], None));
        hosts.push(Host { name, number, starttls });
    }
    // Nobody listens there.
    zone.address("mx1.contoso.com", partner_address(90));
    let lab: Lab<Absent> = Lab::start(POSTFIX_3_10, &authority, &hosts, zone, &[]);
    lab.site.configure(CONNECTOR);

    let ended = Examiner::of(&lab).on_terminal(&["contoso-bank"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let shown = ended.stdout.replace("\r\n", "\n");
    eprintln!("{shown}");
    assert!(!shown.contains(['\r', '\x1b']), "{shown:?}");
    let begin = shown.find("contoso-bank: fails (secure; *.contoso.com)\n").expect("the report");
    let (progress, report) = shown.split_at(begin);
    let mut progress: Vec<&str> = progress.strip_suffix("\n\n").expect("a blank line").lines().collect();
    progress.sort_unstable();
    let expected = [
        "contoso-bank: mx1.contoso.com 192.0.2.10: passes",
        "contoso-bank: mx1.contoso.com 192.0.2.90: fails (unreachable)",
        "contoso-bank: mx1.contoso.com 2001:db8::a: passes",
        "contoso-bank: mx2.contoso.com 192.0.2.11: warning (expires-soon)",
        "contoso-bank: mx2.contoso.com 2001:db8::b: warning (expires-soon)",
        "contoso-bank: mx3.contoso.com 192.0.2.12: fails (name-mismatch)",
        "contoso-bank: mx3.contoso.com 2001:db8::c: fails (name-mismatch)",
    ];
    assert_eq!(progress, expected);
    assert!(report.contains("\n7 addresses: 2 good, 3 with warnings, 2 failing.\n"), "{report}");
}
