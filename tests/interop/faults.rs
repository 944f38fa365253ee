//! The daemon away, killed, stopped, restarted: mail waits and arrives, none lost, none weaker.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;

use nix::sys::signal::Signal;

use crate::certificates::{Authority, Subject};
use crate::client::Client;
use crate::condition::wait_for;
use crate::lab::{Lab, Mta as _};
use crate::network::{OURS, partner_address};
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "good"
mode = "enforce"
domains = [".good.example"]
tls = "secure"
match = ["mx.good.example"]

[[outbound]]
name = "closed"
mode = "enforce"
domains = [".closed.example"]
tls = "encrypt"

[[inbound]]
name = "good-in"
mode = "enforce"
identify.domains = ["good.example"]
require.tls = true
on_violation = "reject"
"#;

const AWAY: &str = "D client TLS configuration problem";

/// With contrib's settings mail of ours is not taken either while the daemon is away: the policy
/// service is asked first. Here it is about what is in the queue.
const OWN_MAIL_IS_TAKEN: [&str; 2] = [
    "smtpd_recipient_restrictions=permit_mynetworks, check_policy_service unix:connectord/policy.sock",
    "smtpd_data_restrictions=permit_mynetworks, check_policy_service unix:connectord/policy.sock",
];

/// What becomes of mail while the daemon answers: the partner that does as agreed, one that
/// does not, and one with whom nothing is agreed.
const PARTNERS: [(&str, &str); 3] = [
    ("good", "T mx.good.example:25"),
    ("closed", "D TLS is required, but was not offered"),
    ("free", "P mx.plain.example:25"),
];

fn lab(release: Release) -> Lab {
    let authority = Authority::new("Lab CA");
    let server = authority.issue(Subject::server(&["mx.good.example"])).server();
    let hosts = [
        Host { name: "mx.good.example".to_owned(), number: 10, starttls: Starttls::Works(server) },
        Host { name: "mx.plain.example".to_owned(), number: 11, starttls: Starttls::Absent },
    ];
    let mut zone = Zone::default();
    zone.mx("*.good.example", "mx.good.example");
    zone.mx("*.closed.example", "mx.plain.example");
    zone.mx("*.free.example", "mx.plain.example");
    let lab: Lab = Lab::start(release, &authority, &hosts, zone, &OWN_MAIL_IS_TAKEN);
    lab.site.configure(CONNECTORS);
    lab
}

/// A recipient at each partner for each of `names`, with what is to become of the mail.
fn round(names: impl Iterator<Item = String>) -> BTreeMap<String, String> {
    names
        .flat_map(|name| {
            PARTNERS.map(|(partner, fate)| (format!("user@{name}.{partner}.example"), fate.to_owned()))
        })
        .collect()
}

fn submit(lab: &Lab, round: &BTreeMap<String, String>) {
    lab.mta.submit_by_smtp(&lab.network, round.keys().map(String::as_str));
}

/// The same mail, all of it deferred because nobody answers.
fn waiting(round: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    round.keys().map(|recipient| (recipient.clone(), AWAY.to_owned())).collect()
}

/// Every message arrived once at most, and none in plaintext that was not to be.
fn none_weaker(lab: &Lab) {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for mail in lab.partner.mail() {
        assert!(mail.bytes > 0, "{mail:?}");
        for recipient in mail.recipients {
            assert!(mail.tls.is_some() || recipient.ends_with(".free.example"), "{recipient} in plaintext");
            *times.entry(recipient).or_default() += 1;
        }
    }
    times.retain(|_, times| *times > 1);
    assert!(times.is_empty(), "more than once: {times:?}");
}

/// What a client of the partner is told, in plaintext.
fn reply_to_client(lab: &Lab) -> String {
    let mut client = Client::connect(&lab.network.partner, partner_address(77), IpAddr::V4(OURS));
    client.expect("250", "EHLO mx.good.example");
    client.expect("250", "MAIL FROM:<bob@good.example>");
    client.ask("RCPT TO:<carol@ours.example>")
}

fn f1_f2_x1_away(release: Release) {
    let lab = lab(release);
    let refused =
        "530 5.7.0 <carol@ours.example>: Recipient address rejected: connector good-in: TLS is required";

    let before = round(["before".to_owned()].into_iter());
    submit(&lab, &before);
    lab.settled(&waiting(&before));
    assert!(reply_to_client(&lab).starts_with("451 4.3.5 "), "{}", reply_to_client(&lab));
    let daemon = lab.site.serve();
    lab.mta.flush(&lab.machine);
    lab.settled(&before);
    assert_eq!(reply_to_client(&lab), refused);

    daemon.kill();
    let killed = round(["killed".to_owned()].into_iter());
    submit(&lab, &killed);
    lab.settled(&waiting(&killed));
    assert!(reply_to_client(&lab).starts_with("451 4.3.5 "), "{}", reply_to_client(&lab));
    // The sockets of the killed one are still there.
    let _daemon = lab.site.serve();
    lab.mta.flush(&lab.machine);
    lab.settled(&killed);
    assert_eq!(reply_to_client(&lab), refused);
    none_weaker(&lab);
}

/// Postfix waits 100 s for an answer and then defers; here it gets one before.
fn f12_x1_stopped(release: Release) {
    let lab = lab(release);
    let daemon = lab.site.serve();
    daemon.signal(Signal::SIGSTOP);
    let stopped = round(["stopped".to_owned()].into_iter());
    submit(&lab, &stopped);
    wait_for("the mail on its way out", || {
        let queue = lab.mta.queue(&lab.machine);
        let active = queue.iter().filter(|queued| queued.queue == "active").count();
        if active == stopped.len() { Ok(()) } else { Err(format!("{queue:?}")) }
    });
    assert!(lab.partner.mail().is_empty(), "{:?}", lab.partner.mail());
    daemon.signal(Signal::SIGCONT);
    lab.settled(&stopped);
    none_weaker(&lab);
}

/// How often the daemon is restarted while mail goes out, and mail for each partner.
const RESTARTS: u32 = 6;
const MESSAGES: u32 = 20;

fn f15_restarted(release: Release) {
    let lab = lab(release);
    let load = round((0..MESSAGES).map(|number| format!("load{number}")));
    thread::scope(|scope| {
        let sender = scope.spawn(|| submit(&lab, &load));
        let mut restarts = 0;
        let mut daemon = lab.site.serve();
        while restarts < RESTARTS || !sender.is_finished() {
            if restarts % 2 == 0 {
                daemon.kill();
            } else {
                assert!(daemon.stop().success(), "{}", lab.site.log());
            }
            daemon = lab.site.serve();
            restarts += 1;
        }
        sender.join().unwrap();
        lab.fates(&load.keys().cloned().collect());
        lab.mta.flush(&lab.machine);
        lab.settled(&load);
    });
    none_weaker(&lab);
}

/// The sockets stay when the daemon goes: nothing is deferred that the connectors let through.
///
/// Postfix asks once more when a connection is closed under a request, and no more than once, so
/// each restart has mail of its own.
fn f15_activated(release: Release) {
    let lab = lab(release);
    let sockets = lab.site.sockets();
    let mut daemon = lab.site.serve_on(&sockets);
    for restart in 0..RESTARTS {
        let mut load = round((0..MESSAGES).map(|number| format!("load{restart}-{number}")));
        load.retain(|recipient, _| !recipient.ends_with(".closed.example"));
        let before = lab.partner.mail().len();
        daemon = thread::scope(|scope| {
            let sender = scope.spawn(|| submit(&lab, &load));
            wait_for("the first mail of this round", || {
                if lab.partner.mail().len() > before { Ok(()) } else { Err("none".to_owned()) }
            });
            assert!(daemon.stop().success(), "{}", lab.site.log());
            let next = lab.site.serve_on(&sockets);
            sender.join().unwrap();
            next
        });
        for (recipient, fate) in lab.fates(&load.keys().cloned().collect()) {
            assert!(fate.is(&load[&recipient]), "{recipient}: {} {}", fate.letter(), fate.note());
        }
    }
    let log = lab.mta.log(&lab.machine);
    assert!(!log.contains("status=deferred"), "{log}");
    none_weaker(&lab);
}

on_each_postfix!(f1_f2_x1_away, f12_x1_stopped, f15_restarted, f15_activated);
