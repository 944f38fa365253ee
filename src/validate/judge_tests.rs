//! Judgements as tables: what was seen, what is demanded, what comes out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::super::forge::{CLIENT_AUTH, Form, Kind, Made, YEAR, chain};
use super::super::observation::{Target, TestMail};
use super::super::strictest::{Capability, combined, strictest};
use super::super::trust::{self, Anchors};
use super::*;
use crate::model::certificate::Fingerprint;
use crate::model::requirement::Parts;
use crate::model::sample::requirement;

const HOST: &str = "mx.a.example";

/// What a test says of a case; the rest is a good session.
struct Scene {
    demand: Requirement,
    presented: Vec<Made>,
    version: &'static str,
    trouble: Option<(Stage, Trouble)>,
    mail: Option<TestMail>,
    dane: Option<DaneReport>,
    mta_sts: Option<MtaStsReport>,
    revocation: Revocation,
    /// The connector's trust file has the leaf itself.
    leaf_is_trusted: bool,
}

struct Signers {
    root: Made,
}

impl Signers {
    fn new() -> Signers {
        Signers { root: Form::ca("Root").self_signed() }
    }

    fn scene(&self, demand: &str, form: &Form) -> Scene {
        Scene {
            demand: requirement(demand),
            presented: vec![form.issued_by(&self.root)],
            version: "TLSv1.3",
            trouble: None,
            mail: None,
            dane: None,
            mta_sts: None,
            revocation: Revocation::NotChecked("no source".to_owned()),
            leaf_is_trusted: false,
        }
    }

    fn good(&self, demand: &str) -> Scene {
        self.scene(demand, &Form::server(&[HOST]))
    }

    /// The report, and what the address could do.
    fn judged(&self, scene: &Scene) -> (AddressReport, Capability) {
        let now = Timestamp::now();
        let presented: Vec<&Made> = scene.presented.iter().collect();
        let der = chain(&presented);
        let anchors = match scene.presented.first().filter(|_| scene.leaf_is_trusted) {
            Some(leaf) => Anchors::trust_file(leaf.pem().as_bytes(), now).unwrap(),
            None => Anchors::authorities(self.root.pem().as_bytes(), now).unwrap(),
        };
        let over = scene.trouble.as_ref().is_none_or(|(stage, _)| *stage >= Stage::EhloAgain);
        let session = TlsSession {
            version: scene.version.to_owned(),
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            took: Duration::from_millis(7),
            chain: der,
            stapled: None,
        };
        let old = matches!(scene.trouble, Some((Stage::Handshake, Trouble::Tls(_))));
        let tls = (over || old).then_some(session);
        let trust = tls.as_ref().map(|tls| trust::judge(&tls.chain, &anchors));
        let observation = Observation {
            target: Target { host: HOST.to_owned(), address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 25 },
            greeting: Some("220 mx".to_owned()),
            capabilities: vec!["STARTTLS".to_owned()],
            tls,
            mail: scene.mail.clone(),
            trouble: scene.trouble.clone(),
        };
        let case = Case {
            requirement: &scene.demand,
            domain: &Domain::parse("a.example").unwrap(),
            observation: &observation,
            trust: trust.as_ref(),
            revocation: Some(&scene.revocation),
            dane: scene.dane.as_ref(),
            mta_sts: scene.mta_sts.as_ref(),
            now,
        };
        (judge(&case), strictest(&case))
    }

    fn code(&self, scene: &Scene) -> (Verdict, String) {
        let (report, _) = self.judged(scene);
        (report.verdict, report.code)
    }
}

fn dane(present: bool, authenticated: bool, matches: Option<bool>) -> Option<DaneReport> {
    Some(DaneReport { present, authenticated, matches, detail: "3 1 1 ...".to_owned() })
}

fn pinned(digest: Fingerprint) -> Requirement {
    let pins = BTreeSet::from([digest]);
    Requirement::new(Parts { pins, ..Parts::of_level(Level::Fingerprint) }).unwrap()
}

use Verdict::{Fail, Pass, Warn};

#[path = "judge_date_tests.rs"]
mod dates;
#[path = "judge_mail_tests.rs"]
mod mail;

#[test]
fn levels_and_certificates() {
    let signers = Signers::new();
    let now = Timestamp::now().as_second();
    let expired = Form { to: now - 60, ..Form::server(&[HOST]) };
    let wrong = Form::server(&["mx.filter.example"]);
    let table: Vec<(&str, &Form, Verdict, &str)> = vec![
        ("verify", &wrong, Fail, "name-mismatch"),
        ("secure mx.a.example", &wrong, Fail, "name-mismatch"),
        ("secure mx.filter.example", &wrong, Pass, "ok"),
        ("secure domain", &wrong, Fail, "name-mismatch"),
        ("encrypt", &wrong, Pass, "ok"),
        ("may", &wrong, Pass, "ok"),
        ("verify", &expired, Fail, "expired"),
        ("encrypt", &expired, Warn, "expired"),
    ];
    for (demand, form, verdict, code) in table {
        assert_eq!(signers.code(&signers.scene(demand, form)), (verdict, code.to_owned()), "{demand} {code}");
    }
    for demand in ["may", "encrypt", "verify", "secure mx.a.example", "secure domain"] {
        assert_eq!(signers.code(&signers.good(demand)), (Pass, "ok".to_owned()), "{demand}");
    }
    let own = Scene { presented: vec![Form::server(&[HOST]).self_signed()], ..signers.good("verify") };
    assert_eq!(signers.code(&own), (Fail, "self-signed".to_owned()));
    let nothing = Scene { presented: vec![], ..signers.good("verify") };
    assert_eq!(signers.code(&nothing), (Fail, "no-certificate".to_owned()));
    let nothing = Scene { presented: vec![], ..signers.good("encrypt") };
    assert_eq!(signers.code(&nothing), (Pass, "ok".to_owned()));
}

#[test]
fn fingerprints() {
    let signers = Signers::new();
    let scene = signers.good("encrypt");
    let certificate = Certificate::from_der(&scene.presented[0].der()).unwrap();
    let own = Scene { presented: vec![Form::server(&["x.y"]).self_signed()], ..signers.good("encrypt") };
    let own_certificate = Certificate::from_der(&own.presented[0].der()).unwrap();
    let small = Form { kind: Kind::Rsa(512), ..Form::server(&[HOST]) }.self_signed();
    let small_digest = Certificate::from_der(&small.der()).unwrap().fingerprint();
    let table = [
        (pinned(certificate.fingerprint()), &scene.presented, Pass, "ok"),
        (pinned(certificate.key_fingerprint()), &scene.presented, Pass, "ok"),
        (pinned(Fingerprint::of(b"x")), &scene.presented, Fail, "fingerprint-mismatch"),
        (pinned(own_certificate.fingerprint()), &own.presented, Pass, "ok"),
        (pinned(small_digest), &vec![small], Fail, "weak-key"),
        (pinned(Fingerprint::of(b"x")), &vec![], Fail, "no-certificate"),
    ];
    for (demand, presented, verdict, code) in table {
        let scene = Scene { demand, presented: presented.clone(), ..signers.good("encrypt") };
        assert_eq!(signers.code(&scene), (verdict, code.to_owned()), "{}", scene.demand);
    }
}

#[test]
fn sessions_that_end_early() {
    let signers = Signers::new();
    let reply = || Trouble::Reply("454 4.7.0 no".to_owned());
    let system = || Trouble::System("Connection refused".to_owned());
    // (stage, trouble, code, at `may`, at the other levels)
    let table = [
        (Stage::Connect, system(), "unreachable", Fail, Fail),
        (Stage::Connect, Trouble::Timeout(None), "unreachable", Fail, Fail),
        (Stage::Greeting, Trouble::Timeout(None), "timeout", Fail, Fail),
        (Stage::Greeting, reply(), "refused", Fail, Fail),
        (Stage::Greeting, Trouble::Protocol("x".to_owned()), "not-smtp", Fail, Fail),
        (Stage::Ehlo, Trouble::Closed, "closed", Fail, Fail),
        (Stage::StartTls, Trouble::NotOffered, "no-starttls", Warn, Fail),
        (Stage::StartTls, reply(), "starttls-refused", Warn, Fail),
        (Stage::StartTls, Trouble::Timeout(None), "timeout", Fail, Fail),
        (Stage::Handshake, Trouble::Closed, "closed", Warn, Fail),
        (Stage::Handshake, Trouble::Tls("no".to_owned()), "handshake-failed", Warn, Fail),
        (Stage::EhloAgain, Trouble::Closed, "closed", Fail, Fail),
    ];
    for (stage, trouble, code, at_may, otherwise) in table {
        for demand in ["may", "encrypt", "verify", "secure mx.a.example", "dane-only", "dane"] {
            // `dane` without records is `may`, with records it is not.
            for (records, level) in
                [(dane(false, false, None), "may"), (dane(true, true, Some(true)), "dane")]
            {
                let lax = demand == "may" || (demand == "dane" && level == "may");
                let none = demand == "dane-only" && level == "may";
                let expected = if lax { at_may } else { otherwise };
                let code = if none { "no-dane" } else { code };
                let scene =
                    Scene { trouble: Some((stage, trouble.clone())), dane: records, ..signers.good(demand) };
                assert_eq!(signers.code(&scene), (expected, code.to_owned()), "{demand} {level} {stage:?}");
            }
        }
    }
}

#[test]
fn dane_levels() {
    let signers = Signers::new();
    let table = [
        ("dane", None, Fail, "dane-unknown"),
        ("dane-only", None, Fail, "dane-unknown"),
        ("dane", dane(false, true, None), Pass, "ok"),
        ("dane-only", dane(false, true, None), Fail, "no-dane"),
        ("dane", dane(true, false, Some(false)), Fail, "dane-mismatch"),
        ("dane", dane(true, false, Some(true)), Warn, "dane-insecure-mx"),
        ("dane-only", dane(true, false, Some(true)), Fail, "no-dane"),
        ("dane", dane(true, true, None), Pass, "ok"),
        ("dane-only", dane(true, true, None), Fail, "dane-unusable"),
        ("dane", dane(true, true, Some(true)), Pass, "ok"),
        ("dane-only", dane(true, true, Some(true)), Pass, "ok"),
        ("dane", dane(true, true, Some(false)), Fail, "dane-mismatch"),
        ("dane-only", dane(true, true, Some(false)), Fail, "dane-mismatch"),
        ("encrypt", dane(true, true, Some(false)), Warn, "dane-mismatch"),
        ("encrypt", dane(true, false, Some(false)), Pass, "ok"),
    ];
    for (demand, dane, verdict, code) in table {
        let scene = Scene { dane: dane.clone(), ..signers.good(demand) };
        assert_eq!(signers.code(&scene), (verdict, code.to_owned()), "{demand} {dane:?}");
    }
}

#[test]
fn versions() {
    let signers = Signers::new();
    let minimum = |version| {
        Requirement::new(Parts { min_version: Some(version), ..Parts::of_level(Level::Encrypt) }).unwrap()
    };
    let no = Some((Stage::Handshake, Trouble::Tls("unsupported protocol".to_owned())));
    let table = [
        (requirement("encrypt"), "TLSv1", None, Warn, "old-tls"),
        (requirement("encrypt"), "TLSv1.2", None, Pass, "ok"),
        (requirement("verify"), "TLSv1.1", no.clone(), Fail, "tls-too-old"),
        (requirement("verify"), "TLSv1.2", no.clone(), Fail, "handshake-failed"),
        (minimum(TlsVersion::Tls13), "TLSv1.2", no.clone(), Fail, "tls-too-old"),
        (minimum(TlsVersion::Tls13), "TLSv1.2", None, Fail, "tls-too-old"),
        (minimum(TlsVersion::Tls13), "nonsense", None, Fail, "tls-too-old"),
        (minimum(TlsVersion::Tls13), "TLSv1.3", None, Pass, "ok"),
    ];
    for (demand, version, trouble, verdict, code) in table {
        let scene = Scene { demand, version, trouble, ..signers.good("may") };
        assert_eq!(signers.code(&scene), (verdict, code.to_owned()), "{} {version}", scene.demand);
    }
}

#[test]
fn what_is_worth_a_warning() {
    let signers = Signers::new();
    let now = Timestamp::now().as_second();
    let server = || Form::server(&[HOST]);
    let day = 24 * 60 * 60;
    let lasting = |days: i64| Form { to: now + days * day + 3600, ..server() };
    let table: Vec<(&str, Form, Option<&str>)> = vec![
        ("verify", lasting(10), Some("expires-soon")),
        ("verify", lasting(13), Some("expires-soon")),
        ("verify", lasting(14), None),
        ("verify", Form { kind: Kind::Rsa(1024), ..server() }, Some("weak-key")),
        ("verify", Form { kind: Kind::Rsa(2048), ..server() }, None),
        (
            "encrypt",
            Form { digest: openssl::hash::MessageDigest::sha1(), ..server() },
            Some("weak-signature"),
        ),
        ("encrypt", Form { purposes: Some(vec![CLIENT_AUTH]), ..server() }, Some("wrong-purpose")),
        ("encrypt", Form { from: now + day, to: now + YEAR, ..server() }, Some("not-yet-valid")),
    ];
    for (demand, form, code) in table {
        let (report, _) = signers.judged(&signers.scene(demand, &form));
        let codes: Vec<&str> = report.warnings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, code.into_iter().collect::<Vec<_>>(), "{demand}");
        assert_eq!(
            (report.verdict, report.code.as_str()),
            (if code.is_some() { Warn } else { Pass }, code.unwrap_or("ok"))
        );
    }
    let stranger = Form::ca("Stranger").self_signed();
    let inter = Form::ca("Inter").issued_by(&signers.root);
    let leaf = server().issued_by(&inter);
    let root = signers.root.clone();
    let uncovered = MtaStsReport {
        found: true,
        mode: Some("enforce".to_owned()),
        covers: Some(false),
        detail: String::new(),
    };
    let scenes = [
        (
            Scene { presented: vec![leaf.clone(), stranger, inter.clone()], ..signers.good("verify") },
            "chain-extra",
        ),
        (Scene { presented: vec![leaf, root, inter], ..signers.good("verify") }, "chain-unordered"),
        (Scene { revocation: Revocation::Revoked("x".to_owned()), ..signers.good("verify") }, "revoked"),
        (Scene { mta_sts: Some(uncovered), ..signers.good("verify") }, "mta-sts-uncovered"),
    ];
    for (scene, code) in scenes {
        assert_eq!(signers.code(&scene), (Warn, code.to_owned()));
    }
}

#[test]
fn words_for_the_partner() {
    let signers = Signers::new();
    let (report, _) =
        signers.judged(&signers.scene("secure *.a.example", &Form::server(&["mx.filter.example"])));
    assert_eq!(
        report.reason,
        "the server's certificate is for another name: either the server needs one with the expected name, or the \
         agreement has to be changed"
    );
    assert_eq!((report.expected.as_str(), report.presented.as_str()), ("*.a.example", "mx.filter.example"));
    assert_eq!(report.certificate.unwrap().names, ["mx.filter.example"]);
    assert_eq!((report.tls.as_deref(), report.handshake_ms), (Some("TLSv1.3"), Some(7)));
    let hostile = Trouble::Reply("550 \u{1b}[31mred\u{7}\r\n550 two".to_owned());
    let scene = Scene { trouble: Some((Stage::Greeting, hostile)), ..signers.good("verify") };
    let (report, _) = signers.judged(&scene);
    assert_eq!(report.detail, "550 \\u{1b}[31mred\\u{7} / 550 two");
    let odd = signers.scene("secure a.b.example", &Form::server(&["m\u{1b}x.filter.example"]));
    let (report, _) = signers.judged(&odd);
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("\\u001b") && !json.contains('\u{1b}'), "{json}");
}

#[test]
fn both_faults_are_told() {
    let signers = Signers::new();
    let own = Form::server(&["mx.filter.example"]).self_signed();
    let (report, _) = signers.judged(&Scene { presented: vec![own], ..signers.good("verify") });
    assert_eq!(report.code, "self-signed");
    assert!(report.detail.contains("mx.filter.example does not match"), "{}", report.detail);
}

#[test]
fn the_strictest_level() {
    let signers = Signers::new();
    let of = |scene: &Scene| signers.judged(scene).1;
    let good = of(&signers.good("may"));
    let elsewhere = of(&signers.scene("may", &Form::server(&["*.filter.example"])));
    let own_scene = Scene { presented: vec![Form::server(&[HOST]).self_signed()], ..signers.good("may") };
    let key = Certificate::from_der(&own_scene.presented[0].der()).unwrap().key_fingerprint();
    let own = of(&own_scene);
    let old = of(&Scene { version: "TLSv1.1", ..signers.good("may") });
    let at = |stage, trouble| of(&Scene { trouble: Some((stage, trouble)), ..signers.good("may") });
    let plain = at(Stage::StartTls, Trouble::NotOffered);
    let gone = at(Stage::Connect, Trouble::Timeout(None));
    let signed = of(&Scene { dane: dane(true, true, Some(true)), ..signers.good("may") });
    // What only the partner can vouch for is said to be so.
    let pin = format!("fingerprint, fingerprints = [\"sha256:{key}\"] (only if the partner confirms it)");
    let foreign = "secure, match = [\"*.filter.example\"] (only if the partner confirms it)";
    let both = "secure, match = [\"*.filter.example\", \"mx.a.example\"] (only if the partner confirms it)";
    let table: Vec<(Vec<&Capability>, Option<&str>)> = vec![
        (vec![], None),
        (vec![&gone], None),
        (vec![&good], Some("secure, match = \"domain\"")),
        (vec![&good, &gone], Some("secure, match = \"domain\"")),
        (vec![&elsewhere], Some(foreign)),
        (vec![&good, &elsewhere], Some(both)),
        (vec![&own], Some(&pin)),
        (vec![&own, &old], Some("encrypt")),
        (vec![&old], Some("encrypt")),
        (vec![&good, &plain], Some("may")),
        (vec![&signed], Some("secure, match = \"domain\"; dane-only would pass too")),
        (vec![&signed, &good], Some("secure, match = \"domain\"")),
    ];
    for (capabilities, expected) in table {
        let capabilities: Vec<Capability> = capabilities.into_iter().cloned().collect();
        assert_eq!(combined(&capabilities).as_deref(), expected, "{capabilities:?}");
    }
}
