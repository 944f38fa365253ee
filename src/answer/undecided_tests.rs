//! A mail of which a part cannot be read: what is refused without that part stays refused, and
//! everything else that could depend on it waits.

#![allow(clippy::unwrap_used)]

use super::Mail;
use super::inbound::{Because, Verdict};
use super::inbound_tests::{decide, mail, require_names, require_tls, snapshot};
use crate::model::inbound::{Action, Require};
use crate::model::sample::{inbound, patterns};
use crate::model::{Inbound, Mode, PatternSet};

/// A connector for everybody's mail from an address, over TLS.
fn from_address(name: &str, on_violation: Action) -> Inbound {
    let mut connector = inbound(name, &[], require_tls());
    connector.identify.addresses = vec!["192.0.2.0/24".parse().unwrap()];
    connector.on_violation = on_violation;
    connector
}

#[test]
fn a_sender_that_cannot_be_read_makes_no_refusal_milder() {
    let unreadable = "450 4.7.1 the domain of the sender cannot be determined";
    for (on_violation, tls_version, verdict, because, expected) in [
        (
            Action::Reject,
            &b""[..],
            Verdict::Reject,
            Because::Connectors,
            "530 5.7.0 connector from: TLS is required",
        ),
        (
            Action::Defer,
            b"",
            Verdict::Defer,
            Because::Connectors,
            "450 4.7.0 connector from: TLS is required",
        ),
        (Action::Hold, b"", Verdict::Defer, Because::Sender, unreadable),
        (Action::Reject, b"TLSv1.3", Verdict::Defer, Because::Sender, unreadable),
    ] {
        let mut reporting = from_address("trial", Action::Reject);
        reporting.mode = Mode::Report;
        let all = snapshot(vec![
            from_address("from", on_violation),
            inbound("named", &["partner.example"], require_tls()),
            reporting,
        ]);
        let decision = decide(&all, &Mail { sender: b"bob", tls_version, ..mail() });
        assert_eq!((decision.verdict, decision.because), (verdict, because), "{on_violation:?}");
        assert_eq!(decision.action(), expected, "{on_violation:?}");
        let names = |judged: &[super::inbound::Judged<'_>]| {
            judged.iter().map(|judged| judged.connector.name.to_string()).collect::<Vec<_>>()
        };
        // What was decided beside is told all the same.
        assert_eq!(
            (names(&decision.applies), names(&decision.report)),
            (vec!["from".to_owned()], vec!["trial".to_owned()])
        );
    }
}

#[test]
fn only_what_a_connector_depends_on_must_be_readable() {
    let by_address = snapshot(vec![from_address("from", Action::Reject)]);
    let by_domain = snapshot(vec![inbound("named", &["partner.example"], require_tls())]);
    let neither = Mail { sender: b"bob", client_address: b"unknown", ..mail() };
    let sender = Mail { sender: b"bob", ..mail() };
    let client = Mail { client_address: b"unknown", ..mail() };
    for (snapshot, mail, expected) in [
        (&by_address, &sender, Because::Connectors),
        (&by_address, &client, Because::Client),
        (&by_address, &neither, Because::Client),
        (&by_domain, &sender, Because::Sender),
        (&by_domain, &client, Because::Connectors),
        (&by_domain, &neither, Because::Sender),
    ] {
        let decision = decide(snapshot, mail);
        let verdict = if expected == Because::Connectors { Verdict::Pass } else { Verdict::Defer };
        assert_eq!((decision.because, decision.verdict), (expected, verdict), "{mail:?}");
    }
    // A literal is readable, and no domain.
    let literal = decide(&by_domain, &Mail { sender: b"bob@[192.0.2.1]", ..mail() });
    assert_eq!((literal.because, literal.verdict), (Because::Connectors, Verdict::Pass));
}

#[test]
fn an_address_that_cannot_be_read_is_in_no_range() {
    let only = Require { addresses: Some(vec!["0.0.0.0/0".parse().unwrap()]), ..Require::default() };
    let all = snapshot(vec![inbound("only", &["partner.example"], only)]);
    let refused = "550 5.7.1 connector only: client address is not in the agreed ranges";
    for (client_address, expected) in
        [(&b"192.0.2.200"[..], "DUNNO"), (b"unknown", refused), (b"", refused), (b"2001:db8::1", refused)]
    {
        assert_eq!(decide(&all, &Mail { client_address, ..mail() }).action(), expected);
    }
}

#[test]
fn at_data_the_only_recipient_is_in_the_scope_or_not() {
    let mut scoped = inbound("p", &["partner.example"], require_tls());
    scoped.recipients = Some(PatternSet::new(patterns(&["our.example"])));
    let all = snapshot(vec![scoped]);
    let refused = "530 5.7.0 connector p: TLS is required";
    for (recipient, expected) in
        [(&b"c@our.example"[..], refused), (b"c@their.example", "DUNNO"), (b"", "DUNNO")]
    {
        let mail = Mail { state: b"END-OF-MESSAGE", recipient, tls_version: b"", ..mail() };
        assert_eq!(decide(&all, &mail).action(), expected, "{recipient:?}");
    }
}

#[test]
fn issuers_alone_are_a_requirement() {
    let mut require = require_names(&["x.example"]);
    let certificate = require.certificate.as_mut().unwrap();
    certificate.names = None;
    certificate.issuers = Some(["Lab CA".to_owned()].into());
    let all = snapshot(vec![inbound("p", &["partner.example"], require)]);
    for (issuer, expected) in [
        (&b"Lab CA"[..], "DUNNO"),
        (b"Other CA", "550 5.7.1 connector p: client certificate is from another issuer"),
        (b"\xff", "550 5.7.1 connector p: client certificate is from another issuer"),
        (b"", "550 5.7.1 connector p: client certificate is not trusted"),
    ] {
        let mut mail = super::inbound_tests::trusted("whatever");
        mail.certificate.issuer = issuer;
        assert_eq!(decide(&all, &mail).action(), expected, "{issuer:?}");
    }
}
