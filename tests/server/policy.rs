//! The rules of the reliability list about policy delegation (P), byte by byte.

use std::io::Write as _;

use super::client::{action, closes, connect, policy};
use super::daemon::{Daemon, Setup};

/// A strict connector, and one for everybody else that asks for next to nothing.
const CONFIGURATION: &str = r#"
version = 1
[[inbound]]
name = "strict"
mode = "enforce"
identify.domains = ["*.partner.example"]
require.certificate.names = ["*.partner.example"]
on_violation = "reject"
[[inbound]]
name = "range"
mode = "enforce"
identify.addresses = ["203.0.113.0/24"]
require.tls = true
on_violation = "reject"
"#;

const NO_TLS: &str = "530 5.7.0 connector strict: TLS is required";
const UNDECIDABLE: &str = "450 4.7.1 the domain of the sender cannot be determined";

fn told(daemon: &Daemon, request: &[u8]) -> Option<String> {
    let mut stream = connect(&daemon.path("run/policy.sock"));
    stream.write_all(request).unwrap();
    action(&mut stream)
}

fn mail<'a>(attributes: &[(&'a str, &'a str)]) -> Vec<u8> {
    let mut all = vec![("protocol_state", "RCPT"), ("client_address", "192.0.2.1")];
    all.retain(|(name, _)| attributes.iter().all(|(other, _)| other != name));
    all.extend(attributes);
    policy(&all)
}

#[test]
fn p_attributes_come_in_any_order_and_what_is_absent_is_the_weakest() {
    let daemon = Setup::new(CONFIGURATION).start();
    let sender = ("sender", "a@partner.example");
    for attributes in [
        &[sender][..],
        &[("a", "b=c"), sender, ("policy_context", "")],
        &[sender, ("recipient", "b@ours.example"), ("a", "b"), ("a", "b")],
        &[("encryption_protocol", ""), sender],
    ] {
        assert_eq!(told(&daemon, &mail(attributes)).as_deref(), Some(NO_TLS), "{attributes:?}");
        let reversed: Vec<_> = attributes.iter().rev().copied().collect();
        assert_eq!(told(&daemon, &mail(&reversed)).as_deref(), Some(NO_TLS), "{reversed:?}");
    }
}

#[test]
fn p_what_is_no_request_is_not_answered() {
    let daemon = Setup::new(CONFIGURATION).start();
    let first = "request=smtpd_access_policy\n";
    for request in [
        format!("{first}sender=a@x.example\nsender=a@partner.example\n\n"),
        format!("{first}encryption_protocol=\nencryption_protocol=TLSv1.3\n\n"),
        format!("{first}sender=a\r\n\n"),
        format!("{first}sender=a\0b\n\n"),
        format!("{first}sender\n\n"),
        "sender=a@x.example\n\n".to_owned(),
        "request=smtpd_relay_policy\n\n".to_owned(),
        "\n".to_owned(),
    ] {
        let mut stream = connect(&daemon.path("run/policy.sock"));
        stream.write_all(request.as_bytes()).unwrap();
        assert!(closes(&mut stream), "{request:?}");
    }
}

#[test]
fn p10_to_p12_addresses_are_parsed_and_none_finds_a_looser_way() {
    let daemon = Setup::new(CONFIGURATION).start();
    for (sender, expected) in [
        ("a@partner.example", NO_TLS),
        ("a@Sub.PARTNER.example", NO_TLS),
        ("a@partner.example.", NO_TLS),
        ("\"x@other.example\"@partner.example", NO_TLS),
        ("\"a b\"@partner.example", NO_TLS),
        ("@other.example,@x.example:a@partner.example", NO_TLS),
        ("a%partner.example", NO_TLS),
        ("partner.example!a", NO_TLS),
        ("a@b@partner.example", NO_TLS),
        ("a@p\u{430}rtner.example", "DUNNO"),
        ("a@partner.example.evil.test", "DUNNO"),
        ("a@evilpartner.example", "DUNNO"),
        ("partner.example@evil.test", "DUNNO"),
        ("a@[192.0.2.1]", "DUNNO"),
        ("a@partner.example(.evil.test", UNDECIDABLE),
        ("a@partner.example,evil.test", UNDECIDABLE),
        ("a@partner.example evil.test", UNDECIDABLE),
        ("a@partner.example\u{1}", UNDECIDABLE),
        ("a@[partner.example]", UNDECIDABLE),
        ("a@..example", UNDECIDABLE),
        ("a@", UNDECIDABLE),
        ("a", UNDECIDABLE),
    ] {
        assert_eq!(told(&daemon, &mail(&[("sender", sender)])).as_deref(), Some(expected), "{sender}");
    }
}

#[test]
fn p_addresses_of_clients_are_parsed_too() {
    let daemon = Setup::new(CONFIGURATION).start();
    let refused = "530 5.7.0 connector range: TLS is required";
    let unreadable = "450 4.7.1 the address of the client cannot be determined";
    for (client, expected) in [
        ("203.0.113.7", refused),
        ("::ffff:203.0.113.7", refused),
        ("::ffff:cb00:7107", refused),
        ("203.0.114.7", "DUNNO"),
        ("2001:db8::1", "DUNNO"),
        ("203.0.113.7 ", unreadable),
        ("203.0.113.007", unreadable),
        ("203.0.113.7/24", unreadable),
        ("unknown", unreadable),
        ("", unreadable),
    ] {
        let request = mail(&[("client_address", client), ("sender", "a@other.example")]);
        assert_eq!(told(&daemon, &request).as_deref(), Some(expected), "{client}");
    }
}

#[test]
fn p13_p14_certificates_are_taken_for_what_they_are() {
    let daemon = Setup::new(CONFIGURATION).start();
    let presented = |subject: &str, issuer: &str| {
        mail(&[
            ("sender", "a@partner.example"),
            ("encryption_protocol", "TLSv1.3"),
            ("ccert_subject", subject),
            ("ccert_issuer", issuer),
            ("ccert_fingerprint", "00:11"),
        ])
    };
    assert_eq!(told(&daemon, &presented("mx.partner.example", "Some+20CA")).as_deref(), Some("DUNNO"));
    for (subject, issuer) in [
        ("mx.partner.example", ""),
        ("mx.partner.example", "Some+2"),
        ("mx.partner.example", "Some CA"),
        ("mx.partner.example+2", "CA"),
        ("mx.partner.example+00", "CA"),
        ("mx.partner.example+00.evil.test", "CA"),
        ("*.partner.example", "CA"),
        ("a.test,mx.partner.example", "CA"),
        ("mx.partner.example+20", "CA"),
        ("evilpartner.example", "CA"),
        ("", "CA"),
    ] {
        let told = told(&daemon, &presented(subject, issuer)).unwrap();
        assert!(told.starts_with("550 5.7.1 connector strict: "), "{subject:?} {issuer:?}: {told}");
        assert!(!told.contains('+') && !told.contains("a.test"), "{told}");
    }
}

#[test]
fn p_every_state_has_its_row_and_another_one_is_deferred() {
    let daemon = Setup::new(CONFIGURATION).start();
    let at = |state: &str| {
        told(&daemon, &mail(&[("protocol_state", state), ("sender", "a@partner.example")])).unwrap()
    };
    for early in ["CONNECT", "EHLO", "HELO", "VRFY", "ETRN"] {
        assert_eq!(at(early), "DUNNO", "{early}");
    }
    for state in ["MAIL", "RCPT", "DATA", "END-OF-MESSAGE"] {
        assert_eq!(at(state), NO_TLS, "{state}");
    }
    for unknown in ["", "BDAT", "rcpt", "RCPT ", "DATA\u{1}"] {
        assert_eq!(at(unknown), "450 4.7.1 connectord does not know this protocol state", "{unknown:?}");
    }
}

#[test]
fn p7_a_long_value_costs_linear_time() {
    // The whole limit in a name, as many labels, as many signs: only a hang would not be answered.
    let daemon = Setup::new(CONFIGURATION).start();
    for part in ["a.", "a@", "a!", "%", "\"", "xn--a.", "\u{fc}.", ":"] {
        let sender = part.repeat(60_000 / part.len());
        let told = told(&daemon, &mail(&[("sender", &sender)]));
        assert!(told.is_some_and(|action| action.starts_with("450 ") || action == "DUNNO"), "{part}");
    }
}
