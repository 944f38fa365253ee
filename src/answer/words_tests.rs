//! What an answer is called in logs, in JSON and in `explain`.

#![allow(clippy::unwrap_used)]

use super::inbound::{Because, Verdict};
use super::inbound_tests::{decide, mail, require_names, require_tls, snapshot as inbound_snapshot};
use super::text::Part;
use super::{Answered, By, Leaf, Mail, Refusal, Reply, exim, tls, transport};
use crate::model::inbound::Action;
use crate::model::sample::{agreements, connectors, inbound};
use crate::model::{Inbound, Mode};
use crate::snapshot::{Snapshot, compile};

fn load(texts: &[&str]) -> Snapshot {
    compile(&agreements(connectors(texts), Vec::new()), 1, String::new()).unwrap()
}

#[test]
fn replies_to_postfix_have_a_verdict_and_perhaps_a_reason() {
    for (reply, payload, verdict, refusal) in [
        (Reply::Ok("encrypt"), "OK encrypt", "ok", None),
        (Reply::NotFound, "NOTFOUND ", "notfound", None),
        (Reply::Perm(Refusal::Empty), "PERM empty request", "perm", Some(Refusal::Empty)),
        (
            Reply::Temp(Refusal::Internal),
            "TEMP internal error, see the log of connectord",
            "temp",
            Some(Refusal::Internal),
        ),
    ] {
        assert_eq!(
            (reply.payload().as_ref(), reply.verdict().word(), reply.refusal()),
            (payload, verdict, refusal)
        );
    }
}

#[test]
fn replies_to_exim_have_a_verdict_and_perhaps_a_reason() {
    let snapshot = load(&["encrypt of a.x", "encrypt of b.x, through [h.q]:smtps"]);
    for (domain, verdict, refusal) in [
        ("a.x", "ok", None),
        ("c.x", "notfound", None),
        // A connector that cannot be told to Exim.
        ("b.x", "temp", None),
        ("", "temp", Some(Refusal::Empty)),
    ] {
        let reply = exim::out(&snapshot, domain.as_bytes()).reply;
        assert_eq!((reply.verdict().word(), reply.refusal()), (verdict, refusal), "{domain}");
    }
}

#[test]
fn a_certificate_is_good_or_refused() {
    let snapshot = load(&["secure mx.a.x of a.x"]);
    let params = rcgen::CertificateParams::new(vec!["mx.a.x".to_owned()]).unwrap();
    let good = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
    let reply = exim::out(&snapshot, b"a.x").reply;
    let answer = reply.payload();
    for (der, verdict, payload) in
        [(good.as_slice(), "ok", "ok"), (b"x", "refused", "no: not a certificate that can be read")]
    {
        let question = exim::Question { domain: b"a.x", host: b"mx.a.x", answer: answer.as_bytes(), der };
        let judged = exim::certificate(&snapshot, &question);
        assert_eq!((judged.word(), judged.payload().as_ref()), (verdict, payload));
        assert_eq!(judged.applies.unwrap().connector.agreement.name.as_str(), "c0");
    }
}

#[test]
fn it_is_said_how_a_connector_came_to_apply() {
    let snapshot = load(&[
        "encrypt of *.x, through [h.q]",
        "verify of *.q",
        "encrypt of *.x, report",
        "encrypt of y.x, through [h.q], report",
        "encrypt of h.q, through [h.q], report",
    ]);
    let lookup = tls(&snapshot, b"[h.q]");
    let by: Vec<String> = lookup.applies.iter().map(|applied| applied.by.to_string()).collect();
    assert_eq!(by, ["route", "*.q"]);
    assert_eq!(lookup.applies.first().unwrap().by, By::Route);
    assert_eq!(format!("{:?}", lookup.applies), "[c0 by route, c1 by *.q]");
    // One that owns the host and sends through it has taken part once.
    let report = format!("{:?}", lookup.report);
    let would = r#"would reply Ok("encrypt")"#;
    assert_eq!(report, format!("[c3 by route, {would}, c4 by route, {would}]"));
    let report = format!("{:?}", tls(&snapshot, b"z.x").report);
    assert_eq!(report, format!("[c2 by *.x, {would}]"));
    let way = transport(&snapshot, b"u@z.x");
    assert_eq!(
        format!("{:?} {:?}", way.applies, way.report),
        r#"[c0 by *.x] [c2 by *.x, would reply Ok("smtp:")]"#
    );
}

#[test]
fn decisions_have_words() {
    let verdicts = [Verdict::Pass, Verdict::Hold, Verdict::Defer, Verdict::Reject];
    assert!(verdicts.is_sorted());
    assert_eq!(verdicts.map(Verdict::word), ["pass", "hold", "defer", "reject"]);
    for (because, word) in [
        (Because::Connectors, "connectors"),
        (Because::State, "state"),
        (Because::Authenticated, "authenticated"),
        (Because::Exempt, "exempt"),
        (Because::UnknownState, "unknown-state"),
        (Because::Sender, "sender"),
        (Because::Client, "client"),
    ] {
        assert_eq!(because.word(), word);
    }
    let parts = [Part::Tls, Part::Certificate, Part::Addresses];
    assert!(parts.is_sorted());
    assert_eq!(parts.map(Part::word), ["tls", "certificate", "addresses"]);
}

#[test]
fn each_connector_is_judged_by_itself() {
    let violated = |name: &str, pattern: &str, on_violation| Inbound {
        on_violation,
        ..inbound(name, &[pattern], require_tls())
    };
    let mut reporting = violated("report", "*.example", Action::Defer);
    reporting.mode = Mode::Report;
    let snapshot = inbound_snapshot(vec![
        violated("hold", "partner.example", Action::Hold),
        violated("reject", "*", Action::Reject),
        reporting,
    ]);
    let refused = decide(&snapshot, &Mail { tls_version: b"", ..mail() });
    let judged: Vec<(Verdict, String)> = refused
        .applies
        .iter()
        .chain(&refused.report)
        .map(|judged| (judged.verdict(), judged.action().into_owned()))
        .collect();
    assert_eq!(
        judged,
        [
            (Verdict::Hold, "HOLD connector hold: TLS is required".to_owned()),
            (Verdict::Reject, "530 5.7.0 connector reject: TLS is required".to_owned()),
            (Verdict::Defer, "450 4.7.0 connector report: TLS is required".to_owned()),
        ]
    );
    assert_eq!(refused.told().map(|judged| judged.connector.name.as_str()), Some("reject"));
    assert_eq!(refused.smtp_reply().as_deref(), Some("530 5.7.0 connector reject: TLS is required"));

    let passed = decide(&snapshot, &mail());
    assert!(passed.told().is_none() && passed.smtp_reply().is_none());
    let judged: Vec<(Verdict, String)> =
        passed.applies.iter().map(|judged| (judged.verdict(), judged.action().into_owned())).collect();
    assert_eq!(judged, [(Verdict::Pass, "DUNNO".to_owned()), (Verdict::Pass, "DUNNO".to_owned())]);

    let held = inbound_snapshot(vec![violated("hold", "partner.example", Action::Hold)]);
    let held = decide(&held, &Mail { tls_version: b"", ..mail() });
    assert_eq!(held.action(), "HOLD connector hold: TLS is required");
    assert_eq!(held.smtp_reply().as_deref(), Some("450 4.7.0 connector hold: TLS is required"));
}

/// `explain inbound --cert-cn`.
#[test]
fn a_name_and_an_issuer_are_a_trusted_certificate() {
    let mut require = require_names(&["mx.partner.example"]);
    require.certificate.as_mut().unwrap().issuers = Some(["Lab CA".to_owned()].into());
    let snapshot = inbound_snapshot(vec![inbound("p", &["partner.example"], require)]);
    for (name, issuer, expected) in [
        ("mx.partner.example", "Lab CA", "DUNNO"),
        (
            "mx.other.example",
            "Lab CA",
            "550 5.7.1 connector p: certificate name mx.other.example does not match mx.partner.example",
        ),
        (
            "mx.partner.example",
            "Other CA",
            "550 5.7.1 connector p: client certificate is from another issuer",
        ),
    ] {
        let leaf = Leaf::named(name, issuer);
        let shown = Mail { certificate: leaf.as_postfix_shows_it(), ..mail() };
        assert_eq!(decide(&snapshot, &shown).action(), expected, "{name} {issuer}");
    }
}

/// What Postfix does not tell is not decided by.
#[test]
fn postfix_shows_no_alternative_names() {
    let mut params = rcgen::CertificateParams::new(vec!["mx.partner.example".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Partner");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        crate::model::certificate::Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
    let leaf = Leaf::of(&certificate, true);
    assert!(leaf.as_postfix_shows_it().alternative_names.is_empty());
    assert_eq!(leaf.whole().alternative_names, certificate.registered_identities());
    let untrusted = Leaf::of(&certificate, false);
    let shown = untrusted.whole();
    assert!(shown.is_presented() && !shown.is_trusted() && shown.alternative_names.is_empty());
    assert_eq!((shown.common_name, shown.issuer), (&b""[..], &b""[..]));
    let both = vec![certificate.fingerprint(), certificate.key_fingerprint()];
    assert_eq!(shown.digests(), (both, false));
    assert!(!Leaf::default().whole().is_presented());
}
