//! Properties of inbound decisions over random connectors and mails.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::inbound_tests::{action, decide, mail, require_names, require_tls, snapshot, trusted};
use super::{ClientCertificate, Mail};
use crate::model::inbound::{Action, Require};
use crate::model::sample::{agreements, inbound as connector, patterns};
use crate::model::{Inbound, PatternSet};
use crate::snapshot::compile;
use crate::snapshot::diff::diff;

fn any_connector(number: usize) -> impl Strategy<Value = Inbound> {
    let domains = proptest::sample::subsequence(&["*", "*.b", "a.b", ".a.b"][..], 1..3);
    let action = proptest::sample::select(vec![Action::Hold, Action::Defer, Action::Reject]);
    (domains, 0..3_usize, action, any::<bool>(), 0..4_usize).prop_map(
        move |(domains, require, on_violation, address, kind)| {
            let require = match require {
                0 => require_tls(),
                1 => require_names(&["x.b"]),
                _ => Require { addresses: Some(vec!["192.0.2.0/25".parse().unwrap()]), ..Require::default() },
            };
            let mut inbound = connector(&format!("c{number}"), &domains, require);
            if address {
                inbound.identify.addresses = vec![format!("192.0.2.{number}/32").parse().unwrap()];
            }
            inbound.on_violation = on_violation;
            match kind {
                0 => inbound.overrides = (0..number).map(|other| format!("c{other}")).collect(),
                1 => inbound.recipients = Some(PatternSet::new(patterns(&["*.our.example"]))),
                2 => inbound.identify.except_addresses = vec!["192.0.2.1/32".parse().unwrap()],
                _ => {}
            }
            inbound
        },
    )
}

fn any_mail() -> impl Strategy<Value = Mail<'static>> {
    let sender = proptest::sample::select(vec![&b"u@a.b"[..], b"u@x.a.b", b"u@b", b"u@q", b"", b"u", b"b!u"]);
    let client =
        proptest::sample::select(vec![&b"192.0.2.0"[..], b"192.0.2.1", b"192.0.2.200", b"x", b"127.0.0.1"]);
    let tls = proptest::sample::select(vec![&b""[..], b"TLSv1.3"]);
    let name = proptest::sample::select(vec!["", "x.b", "y.b"]);
    let recipient = proptest::sample::select(vec![
        &b"c@our.example"[..],
        b"c%our.example",
        b"c@their.example",
        b"postmaster",
    ]);
    (sender, client, tls, name, recipient).prop_map(
        |(sender, client_address, tls_version, name, recipient)| Mail {
            sender,
            client_address,
            tls_version,
            recipient,
            ..trusted(name)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// I7 and I8: order means nothing, and one more connector never makes a verdict milder.
    #[test]
    fn i7_i8_z3_requirements_only_add_up(a in any_connector(0), b in any_connector(1), mut c in any_connector(2), mail in any_mail()) {
        c.overrides.clear();
        let load = |all: Vec<Inbound>| compile(&agreements(Vec::new(), all), 1, String::new()).ok();
        let two = load(vec![a.clone(), b.clone()]);
        let three = load(vec![a.clone(), b.clone(), c.clone()]);
        let turned = load(vec![c, b, a]);
        prop_assert_eq!(three.is_some(), turned.is_some());
        if let (Some(two), Some(three), Some(turned)) = (two, three, turned) {
            prop_assert!(decide(&three, &mail).verdict >= decide(&two, &mail).verdict);
            prop_assert_eq!(action(&three, &mail), action(&turned, &mail));
        }
    }

    /// What the diff does not call weaker is not weaker.
    #[test]
    fn a_diff_tells_of_every_weakening(
        old in [any_connector(0), any_connector(1), any_connector(2)],
        new in [any_connector(0), any_connector(1), any_connector(2)],
        kept in 0..3_usize,
        mail in any_mail(),
    ) {
        // Most sets contradict themselves; one that stays makes small steps as likely as big ones.
        let mut new = new.to_vec();
        if let (Some(slot), Some(same)) = (new.get_mut(kept), old.get(kept)) {
            *slot = same.clone();
        }
        let load = |all: Vec<Inbound>| compile(&agreements(Vec::new(), all), 1, String::new()).ok();
        if let (Some(before), Some(after)) = (load(old.to_vec()), load(new)) {
            let weakens = diff(&before, &after).iter().any(|change| change.weakens);
            let (was, is) = (decide(&before, &mail).verdict, decide(&after, &mail).verdict);
            prop_assert!(weakens || is >= was, "{was:?} became {is:?}");
        }
    }

    /// F11: the time of day decides only about registered certificates, of which none is here.
    #[test]
    fn f11_another_time_is_another_answer_to_nobody(a in any_connector(0), b in any_connector(1), mail in any_mail(), years in -60..60_i64) {
        if let Ok(snapshot) = compile(&agreements(Vec::new(), vec![a, b]), 1, String::new()) {
            let now = jiff::Timestamp::from_second(1_795_000_000).unwrap();
            let then = now + jiff::SignedDuration::from_hours(years * 365 * 24);
            let [is, was] = [now, then].map(|time| super::inbound(&snapshot, &mail, || time).action().to_owned());
            prop_assert_eq!(is, was);
        }
    }

    /// I3: the vocabulary is closed, whatever the peer sends.
    #[test]
    fn i3_p_replies_hold_nothing_of_the_peer(
        sender in proptest::collection::vec(any::<u8>(), 0..40),
        name in proptest::collection::vec(any::<u8>(), 0..40),
        state in proptest::sample::select(vec![&b"MAIL"[..], b"RCPT", b"DATA", b"\x00"]),
    ) {
        let partner = snapshot(vec![connector("p", &["*"], require_names(&["*.partner.example"]))]);
        let certificate = ClientCertificate { common_name: &name, issuer: &sender, ..trusted("").certificate };
        let mail = Mail { state, sender: &sender, certificate, ..mail() };
        let action = action(&partner, &mail);
        prop_assert!(crate::protocol::policy::is_closed(&action), "{action:?}");
    }
}
