//! `explain`: its JSON and its words.

use serde_json::{Value, json};

use crate::bench::{Bench, CONFIGURATION, assert_keys};

fn outbound(bench: &Bench, key: &str) -> Value {
    let json = bench.run(&["explain", "outbound", key, "--json"]).expect(0).json();
    assert_keys(&json, &["schema", "input", "generation", "steps"], &["validation"]);
    assert_eq!((&json["schema"], &json["generation"], &json["input"]), (&json!(1), &json!(0), &json!(key)));
    for step in json["steps"].as_array().unwrap() {
        assert_keys(step, &["map", "key", "reply", "applies", "report"], &[]);
        for applies in step["applies"].as_array().unwrap() {
            assert_keys(applies, &["connector", "pattern", "mode", "file", "line"], &[]);
        }
        for report in step["report"].as_array().unwrap() {
            assert_keys(report, &["connector", "would_reply"], &["pattern", "file", "line"]);
        }
    }
    json
}

#[test]
fn an_address_is_asked_for_as_postfix_does() {
    let bench = Bench::new(CONFIGURATION);
    const SECURE: &str = "OK secure match=contoso.com:.contoso.com";
    let table: [(&str, &[[&str; 3]]); 8] = [
        (
            "Bob@Sub.Contoso.com",
            &[
                ["transport", "Bob@Sub.Contoso.com", "OK smtp:[mail.contoso.com]:587, [192.0.2.7]"],
                ["tls", "[mail.contoso.com]:587", SECURE],
                ["tls", "[192.0.2.7]", SECURE],
            ],
        ),
        ("bob@a.Example", &[["transport", "bob@a.Example", "OK smtp:"], ["tls", "a.Example", "OK encrypt"]]),
        (
            "bob@lists.contoso.com",
            &[["transport", "bob@lists.contoso.com", "NOTFOUND "], ["tls", "lists.contoso.com", "NOTFOUND "]],
        ),
        ("bob@[192.0.2.7]", &[["transport", "bob@[192.0.2.7]", "NOTFOUND "], ["tls", "[192.0.2.7]", SECURE]]),
        ("contoso.com", &[["tls", "contoso.com", SECURE]]),
        ("[mail.contoso.com]:submission", &[["tls", "[mail.contoso.com]:submission", SECURE]]),
        (".contoso.com", &[["tls", ".contoso.com", "NOTFOUND "]]),
        ("x..y", &[["tls", "x..y", "PERM invalid key: empty label in domain name"]]),
    ];
    for (key, expected) in table {
        let json = outbound(&bench, key);
        let steps: Vec<[&str; 3]> = json["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| ["map", "key", "reply"].map(|key| step[key].as_str().unwrap()))
            .collect();
        assert_eq!(steps, expected, "{key}");
    }
}

#[test]
fn the_connectors_are_named_with_their_places() {
    let bench = Bench::new(CONFIGURATION);
    let file = bench.path("connectord.toml").display().to_string();
    let json = outbound(&bench, "x.contoso.com");
    assert_eq!(
        json["steps"][0]["applies"],
        json!([{"connector": "contoso-bank", "pattern": "*.contoso.com", "mode": "enforce", "file": file, "line": 7}])
    );
    assert_eq!(json["steps"][0]["report"][0]["connector"], "contoso-trial");
    assert_eq!(json["steps"][0]["report"][0]["would_reply"], "OK encrypt");
    let routed = outbound(&bench, "[192.0.2.7]:26");
    assert_eq!(routed["steps"][0]["applies"][0]["pattern"], "route");

    let text = bench.run(&["explain", "outbound", "bob@x.contoso.com"]).expect(0).stdout;
    for words in [
        "map transport, key bob@x.contoso.com\n  reply      OK smtp:[mail.contoso.com]:587, [192.0.2.7]\n",
        "map tls, key [mail.contoso.com]:587\n",
        "Postfix delivers over TLS to a certificate that a trusted authority issued for one of the names, or defers\n",
        &format!("  connector  contoso-bank, by *.contoso.com, enforce, {file}:7\n"),
        "would reply OK encrypt\n",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let text = bench.run(&["explain", "outbound", "elsewhere.test"]).expect(0).stdout;
    assert!(text.contains("  reply      NOTFOUND \n"), "{text}");
    assert!(
        text.contains("at its level `may` (by [mta] level) Postfix uses TLS when the partner offers it"),
        "{text}"
    );
}

fn inbound(bench: &Bench, arguments: &[&str]) -> Value {
    let all = [&["explain", "inbound", "--json"], arguments].concat();
    let json = bench.run(&all).expect(0).json();
    assert_keys(
        &json,
        &["schema", "generation", "state", "verdict", "action", "applies", "report"],
        &["because"],
    );
    for connector in ["applies", "report"].into_iter().flat_map(|list| json[list].as_array().unwrap()) {
        assert_keys(
            connector,
            &["connector", "identified_by", "violations"],
            &["would_reply", "file", "line"],
        );
        for violation in connector["violations"].as_array().unwrap() {
            assert_keys(violation, &["requirement", "expected", "presented"], &[]);
        }
    }
    json
}

#[test]
fn inbound_decisions_say_what_was_expected() {
    let bench = Bench::new(CONFIGURATION);
    let from = |client: &'static str| vec!["--sender", "bob@contoso.com", "--client-address", client];
    let plain = inbound(&bench, &from("203.0.113.5"));
    assert_eq!(
        (&plain["verdict"], &plain["state"], &plain["because"]),
        (&json!("reject"), &json!("RCPT"), &json!("connectors"))
    );
    assert_eq!(plain["action"], "530 5.7.0 connector contoso-bank-in: TLS is required");
    assert_eq!(plain["applies"][0]["identified_by"], "*.contoso.com");
    assert_eq!(
        plain["applies"][0]["violations"],
        json!([{"requirement": "tls", "expected": "TLS", "presented": "plaintext"}])
    );
    assert_eq!(plain["report"][0]["would_reply"], "450 4.7.0 connector contoso-in-trial: TLS is required");

    let named = ["--tls", "TLSv1.3", "--cert-cn", "mx.contoso.com"];
    let good =
        inbound(&bench, &[&from("203.0.113.5")[..], &named, &["--cert-issuer", "Contoso CA"]].concat());
    assert_eq!((&good["verdict"], &good["action"]), (&json!("pass"), &json!("DUNNO")));
    assert_eq!(good["applies"][0]["violations"], json!([]));

    let other = inbound(&bench, &[&from("198.51.100.1")[..], &named, &["--cert-issuer", "Evil CA"]].concat());
    assert_eq!(
        other["applies"][0]["violations"],
        json!([
            {"requirement": "certificate", "expected": "issuer Contoso CA", "presented": "issuer Evil CA"},
            {"requirement": "addresses", "expected": "203.0.113.0/24", "presented": "198.51.100.1"},
        ])
    );
    let early = inbound(&bench, &[&from("203.0.113.5")[..], &["--state", "EHLO"]].concat());
    assert_eq!(
        (&early["action"], &early["because"], &early["applies"]),
        (&json!("DUNNO"), &json!("state"), &json!([]))
    );
    let bounce = ["--sender", "", "--helo", "mail.contoso.com", "--client-address", "2001:db8::1"];
    assert_eq!(inbound(&bench, &bounce)["applies"][0]["identified_by"], "*.contoso.com");
    let exempt = inbound(&bench, &from("127.0.0.1"));
    assert_eq!(exempt["because"], "exempt");

    let text = bench.run(&[&["explain", "inbound"], &from("203.0.113.5")[..]].concat()).expect(0).stdout;
    for words in [
        "  reply      action=530 5.7.0 connector contoso-bank-in: TLS is required\n",
        "  verdict    reject\n",
        "             tls: expected TLS, presented plaintext\n",
        "connectord.toml:36\n",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn a_certificate_is_shown_as_postfix_shows_it() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["mx.contoso.com".to_owned()]).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "mx.contoso.com");
    let certificate = parameters.self_signed(&key).unwrap();
    let registered = CONFIGURATION.replace(
        "require.certificate.issuers = [\"Contoso CA\"]",
        "require.certificate.files = [\"client.pem\"]",
    );
    let bench = Bench::new(&registered);
    let file = bench.write("client.pem", &certificate.pem());
    let file = file.to_str().unwrap();
    let base = ["--sender", "bob@contoso.com", "--client-address", "203.0.113.5", "--tls", "TLSv1.2"];
    let verdict =
        |bench: &Bench, more: &[&str]| inbound(bench, &[&base[..], more].concat())["verdict"].clone();
    assert_eq!(verdict(&bench, &["--cert", file]), "pass");
    // Registered nowhere, it needs somebody to vouch for it.
    let bench = Bench::new(&CONFIGURATION.replace("require.certificate.issuers = [\"Contoso CA\"]\n", ""));
    assert_eq!(verdict(&bench, &["--cert", file]), "reject");
    assert_eq!(verdict(&bench, &["--cert", file, "--trusted"]), "pass");

    let with = |file: &str| {
        [&["explain", "inbound"], &base[..], &["--cert", file]]
            .concat()
            .iter()
            .map(|&text| text.to_owned())
            .collect::<Vec<_>>()
    };
    let run = |file: &str| bench.run(&with(file).iter().map(String::as_str).collect::<Vec<_>>());
    run("/nonexistent.pem").expect(66);
    let text = bench.write("text.pem", "no certificate\n");
    assert!(run(text.to_str().unwrap()).expect(64).stderr.contains("text.pem: "));
}
