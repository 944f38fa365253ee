//! A daemon that answers Exim's routers and transports wrongly, half or never: mail waits, and then
//! arrives as agreed.

use std::collections::BTreeMap;

use crate::exim_partners::{agreed, lab};
use crate::impostor::{Fault, Impostor, Question};
use crate::on_each_exim;
use crate::root::Release;

/// What Exim says when it waits.
const NO_ANSWER: &str = "connectord: no valid answer for this domain";
const NO_TRANSPORT: &str = "not found in connectord_mx router";
const REFUSED: &str = "TLS session: (gnutls_handshake)";
const SECOND: &str = "connectord refuses the certificate";

/// 200 kB without anything that means something to anybody.
pub fn flood() -> Vec<u8> {
    b"flood=0123456789abcdef ".repeat(200_000 / 23)
}

pub fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// What no answer is to the question `out`, and why Exim waits then.
///
/// Where something is said, it begins as an answer that would let everything go in plaintext.
fn out_faults() -> Vec<(&'static str, Fault, &'static str)> {
    const WHOLE: &str = "status=ok tls=default end=ok\n";
    vec![
        ("hangs", Fault::hangs(""), NO_ANSWER),
        ("hangs-half", Fault::hangs("status=ok tls=default "), NO_ANSWER),
        ("hangs-whole", Fault::hangs(WHOLE), NO_ANSWER),
        ("resets", Fault::resets(""), NO_ANSWER),
        ("resets-half", Fault::resets("status=ok tls=default "), NO_ANSWER),
        ("closes", Fault::says(""), NO_ANSWER),
        ("empty-line", Fault::says("\n"), NO_ANSWER),
        ("cut-status", Fault::says("status=ok"), NO_ANSWER),
        ("cut-word", Fault::says("status=ok tls=def"), NO_ANSWER),
        ("cut-pair", Fault::says("status=ok tls=default"), NO_ANSWER),
        ("cut-blank", Fault::says("status=ok tls=default "), NO_ANSWER),
        ("cut-end", Fault::says("status=ok tls=default end=o"), NO_ANSWER),
        ("cut-feed", Fault::says("status=ok tls=default end=ok"), NO_ANSWER),
        ("cut-quoted", Fault::says(r#"status=ok tls=default text="a b"#), "connectord: a b"),
        ("cut-quoted-end", Fault::says(r#"status=ok tls=default text="a end=ok"#), "connectord: a end=ok"),
        ("cut-quoted-feed", Fault::says("status=ok tls=default text=\"a end=ok\n"), "connectord: a end=ok"),
        ("garbage", Fault::says((1..=255).collect::<Vec<u8>>()), NO_ANSWER),
        (
            "garbage-end",
            Fault::says(joined(&[&[0xff, b'=', b'"', 0xfe], b"status=ok tls=default end=ok\n"])),
            NO_ANSWER,
        ),
        ("nul-first", Fault::says("\0status=ok tls=default end=ok\n"), NO_ANSWER),
        ("nul-word", Fault::says("status=ok tls=default\0 end=ok\n"), NO_ANSWER),
        ("nul-end", Fault::says("status=ok tls=default end=\0ok\n"), NO_ANSWER),
        ("nul-last", Fault::says("status=ok tls=default end=ok\0\n"), NO_ANSWER),
        ("flood", Fault::says(flood()), NO_ANSWER),
        ("flood-status", Fault::says(joined(&[b"status=ok tls=default ", &flood()])), NO_ANSWER),
        ("flood-end", Fault::says(joined(&[&flood(), b"end=ok\n"])), NO_ANSWER),
        (
            "flood-text",
            Fault::says(joined(&[b"status=temp text=\"", &flood(), b"\" end=ok\n"])),
            "connectord: flood=0",
        ),
        ("trailing", Fault::says("status=ok tls=default end=ok tls=default\n"), NO_ANSWER),
        ("trailing-line", Fault::says("status=ok tls=default end=ok\nstatus=ok\n"), NO_ANSWER),
        ("trailing-word", Fault::says("status=ok tls=default end=okay\n"), NO_ANSWER),
        ("return", Fault::says("status=ok tls=default end=ok\r\n"), NO_ANSWER),
        ("shouts", Fault::says("STATUS=OK TLS=DEFAULT END=OK\n"), NO_ANSWER),
        ("no-status", Fault::says("tls=default end=ok\n"), NO_ANSWER),
        ("no-word", Fault::says("status=ok end=ok\n"), NO_TRANSPORT),
        ("unknown-word", Fault::says("status=ok tls=bogus end=ok\n"), NO_TRANSPORT),
        ("temp", Fault::says("status=temp action=defer end=ok\n"), NO_ANSWER),
        (
            "temp-text",
            Fault::says("status=temp text=\"come back later\" end=ok\n"),
            "connectord: come back later",
        ),
        ("inbound", Fault::says("action=pass end=ok\n"), NO_ANSWER),
        ("certificate", Fault::says("ok\n"), NO_ANSWER),
    ]
}

/// What no answer is to the question `cert`.
fn certificate_faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("hangs", Fault::hangs("")),
        ("hangs-whole", Fault::hangs("ok\n")),
        ("resets", Fault::resets("")),
        ("resets-half", Fault::resets("o")),
        ("closes", Fault::says("")),
        ("empty-line", Fault::says("\n")),
        ("cut", Fault::says("o")),
        ("cut-feed", Fault::says("ok")),
        ("garbage", Fault::says((1..=255).collect::<Vec<u8>>())),
        ("nul-first", Fault::says("\0ok\n")),
        ("nul-word", Fault::says("o\0k\n")),
        ("nul-last", Fault::says("ok\0\n")),
        ("flood", Fault::says(flood())),
        ("flood-end", Fault::says(joined(&[&flood(), b"ok\n"]))),
        ("flood-ok", Fault::says(joined(&[b"ok ", &flood()]))),
        ("blank", Fault::says(" ok\n")),
        ("trailing-blank", Fault::says("ok \n")),
        ("trailing-line", Fault::says("ok\nok\n")),
        ("trailing-word", Fault::says("okay\n")),
        ("second-line", Fault::says("no: it is not\nok\n")),
        ("return", Fault::says("ok\r\n")),
        ("brackets", Fault::says("<ok\n>")),
        ("shouts", Fault::says("OK\n")),
        ("yes", Fault::says("yes\n")),
        ("false", Fault::says("false\n")),
        ("no", Fault::says("no: it is not\n")),
        ("temp", Fault::says("status=temp action=defer end=ok\n")),
        ("status", Fault::says("status=ok tls=default end=ok\n")),
    ]
}

/// The fault and the stage in a recipient's domain: `FAULT.STAGE.PARTNER.example`.
fn labels(domain: &str) -> (&str, &str) {
    let mut labels = domain.split('.');
    (labels.next().unwrap_or_default(), labels.next().unwrap_or_default())
}

/// Mail that meets the reason beside each recipient while `plan` is carried out, and the fate of its
/// partner when the real daemon is back.
fn outage(
    release: Release,
    waiting: &BTreeMap<String, String>,
    plan: impl Fn(&Question<'_>) -> Option<Fault> + Send + Sync + 'static,
) {
    let (lab, connectors) = lab(release, &[]);
    lab.site.configure_at(&lab.site.behind(), &connectors);
    let behind = lab.site.serve();
    let impostor = Impostor::start(&lab.site.exim(), &lab.site.behind(), plan);
    lab.mta.enqueue(&lab.machine, waiting.keys().map(String::as_str));
    lab.mta.try_all(&lab.machine);
    lab.met(waiting);
    assert!(lab.partner.mail().is_empty(), "{:?}", lab.partner.mail());
    lab.mta.nothing_lost(&lab.machine);
    let asked = impostor.asked();
    for recipient in waiting.keys() {
        let (_, domain) = recipient.split_once('@').unwrap();
        let verb = if labels(domain).1 == "out" { "out" } else { "cert" };
        assert!(asked.contains_key(&format!("{verb} {domain}")), "{verb} {domain} was not asked");
    }

    drop(impostor);
    assert!(behind.stop().success(), "{}", lab.site.log());
    lab.site.configure(&connectors);
    let _daemon = lab.site.serve();
    lab.mta.try_all(&lab.machine);
    lab.met(&agreed(waiting.keys().map(String::as_str)));
    lab.mta.nothing_lost(&lab.machine);
}

fn t3_x5_question(release: Release) {
    let faults = out_faults();
    let mut waiting = BTreeMap::new();
    for (name, _, reason) in &faults {
        for partner in ["good", "plain", "self", "wrong", "free"] {
            waiting.insert(format!("user@{name}.out.{partner}.example"), format!("D {reason}"));
        }
    }
    let faults: BTreeMap<_, _> = faults.into_iter().map(|(name, fault, _)| (name, fault)).collect();
    outage(release, &waiting, move |question| faults.get(labels(question.domain).0).cloned());
}

/// The certificate is asked about twice. The fault is there both times (`both`), or at the first
/// question (`event`) or the second one (`again`) only.
fn t3_x5_certificate(release: Release) {
    let faults: BTreeMap<_, _> = certificate_faults().into_iter().collect();
    let mut waiting = BTreeMap::new();
    for name in faults.keys() {
        for (stage, partners, reason) in [
            ("both", ["good", "wrong", "pin", "other"].as_slice(), REFUSED),
            ("event", &["good", "pin"], REFUSED),
            ("again", &["good", "pin"], SECOND),
        ] {
            for partner in partners {
                waiting.insert(format!("user@{name}.{stage}.{partner}.example"), format!("D {reason}"));
            }
        }
    }
    outage(release, &waiting, move |question| {
        let (fault, stage) = labels(question.domain);
        let faulty = match stage {
            "event" => question.before == 0,
            "again" => question.before == 1,
            _ => true,
        };
        faults.get(fault).filter(|_| question.verb == "cert" && faulty).cloned()
    });
}

on_each_exim!(t3_x5_question, t3_x5_certificate);
