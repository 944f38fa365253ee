//! What every connector is to Exim, to the byte, and what cannot be told to it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::model::Domain;
use crate::model::certificate::Fingerprint;
use crate::model::requirement::{CaFile, CipherGrade, Parts, TlsVersion};
use crate::model::sample::{agreements, connectors, outbound, smart_hosts};
use crate::snapshot::compile;

fn file(path: &str) -> Arc<CaFile> {
    let certificates = BTreeSet::from([Fingerprint::of(b"ca")]);
    Arc::new(CaFile {
        path: path.into(),
        pem: b"x".to_vec(),
        sha256: "0123456789abcdef".repeat(4),
        certificates,
    })
}

/// The answer for the connector, and the gap if there is one.
fn told(connector: Outbound) -> (String, Option<Inexpressible>) {
    let snapshot = compile(&agreements(vec![connector], Vec::new()), 1, String::new()).unwrap();
    let policy = &snapshot.outbound().first().unwrap().exim;
    (policy.answer.clone(), policy.gap.clone())
}

fn with(demand: &str, change: impl FnOnce(&mut Parts)) -> Outbound {
    let mut connector = outbound("partner", &["partner.example"], demand);
    let own = &connector.requirement;
    let mut parts = Parts::of_level(own.level());
    if own.level().judges_chain() && *own.names() != Names::MxHost {
        parts.names = Some(own.names().clone());
    }
    change(&mut parts);
    connector.requirement = Requirement::new(parts).unwrap();
    connector
}

#[test]
fn every_level_has_its_transport() {
    let table = [
        ("may", "may"),
        ("dane", "may"),
        ("encrypt", "encrypt"),
        ("verify", "host"),
        ("verify a.b", "cert"),
        ("verify domain", "cert"),
        ("secure a.b", "cert"),
        ("secure domain", "cert"),
        ("dane-only", "dane"),
    ];
    for (demand, word) in table {
        let expected = (format!("status=ok tls={word} end=ok"), None);
        assert_eq!(told(with(demand, |_| {})), expected, "{demand}");
    }
    let pinned =
        Parts { pins: BTreeSet::from([Fingerprint::of(b"x")]), ..Parts::of_level(Level::Fingerprint) };
    let mut connector = outbound("partner", &["partner.example"], "encrypt");
    connector.requirement = Requirement::new(pinned).unwrap();
    assert_eq!(told(connector), ("status=ok tls=pin end=ok".to_owned(), None));
}

#[test]
fn the_parts_stand_in_their_order() {
    let mut connector = with("secure a.b", |parts| {
        parts.ca_file = Some(file("/etc/connectord/partner-ca.pem"));
        parts.servername = Some(ServerName::Name(Domain::parse("mx.partner.example").unwrap()));
        parts.min_version = Some(TlsVersion::Tls13);
    });
    connector.route = smart_hosts(&["[mx.partner.example]:587"]);
    let expected = "status=ok tls=cert ca=/etc/connectord/partner-ca.pem sni=mx.partner.example \
                    min=TLSv1.3 hosts=mx.partner.example::587 end=ok";
    assert_eq!(told(connector.clone()), (expected.to_owned(), None));
    let mut agreed = agreements(vec![connector], Vec::new());
    agreed.mta.queue_directory = Some(Path::new("/var/spool/postfix").into());
    let snapshot = compile(&agreed, 1, String::new()).unwrap();
    let answer = &snapshot.outbound().first().unwrap().exim.answer;
    let published = "ca=/var/spool/postfix/connectord-ca/0123456789abcdef0123456789abcdef.pem ";
    assert!(answer.contains(published), "{answer}");
}

#[test]
fn smart_hosts_are_a_list_of_exim() {
    let table = [
        ("[mail.a.b]", Ok("mail.a.b")),
        ("[mail.a.b]:587", Ok("mail.a.b::587")),
        ("[mail.a.b]:submission", Ok("mail.a.b::587")),
        ("[mail.a.b]:smtp", Ok("mail.a.b::25")),
        ("[mail.a.b]:smtps", Err(Inexpressible::Port)),
        ("mail.a.b", Ok("mail.a.b/MX")),
        ("mail.a.b:2525", Ok("mail.a.b/MX::2525")),
        ("[192.0.2.1]", Ok("192.0.2.1")),
        ("[192.0.2.1]:587", Ok("192.0.2.1::587")),
        ("[2001:db8::1]", Ok("2001::db8::::1")),
        ("[2001:db8::1]:587", Ok("[2001::db8::::1]::587")),
    ];
    for (hop, expected) in table {
        assert_eq!(
            list_item(&NextHop::parse(hop).unwrap()).as_deref(),
            expected.as_ref().map(|text| *text),
            "{hop}"
        );
    }
    let mut connector = with("encrypt", |_| {});
    connector.route = smart_hosts(&["[a.b]", "[c.d]:587"]);
    assert_eq!(told(connector).0, "status=ok tls=encrypt hosts=a.b:c.d::587 end=ok");
}

#[test]
fn sni_is_a_name_or_a_word() {
    let by = |name: &ServerName, hops: &[&str]| {
        let mut connector = with("encrypt", |parts| parts.servername = Some(name.clone()));
        if !hops.is_empty() {
            connector.route = smart_hosts(hops);
        }
        let (answer, gap) = told(connector);
        gap.map_or_else(
            || answer.split(' ').find(|word| word.starts_with("sni=")).map(str::to_owned).unwrap_or_default(),
            |gap| gap.key().to_owned(),
        )
    };
    assert_eq!(by(&ServerName::HostName, &[]), "sni=hostname");
    assert_eq!(by(&ServerName::NextHop, &[]), "sni=nexthop");
    assert_eq!(by(&ServerName::NextHop, &["[a.b]:587", "[c.d]"]), "sni=hostname");
    assert_eq!(by(&ServerName::NextHop, &["[a.b]", "c.d"]), "servername");
}

#[test]
fn what_cannot_be_told_is_a_deferral_that_names_the_connector() {
    let ciphers = with("encrypt", |parts| parts.ciphers = Some(CipherGrade::High));
    let path = with("verify", |parts| parts.ca_file = Some(file("/etc/\"ca\".pem")));
    let mut port = with("encrypt", |_| {});
    port.route = smart_hosts(&["[a.b]:smtps"]);
    let mut length = with("encrypt", |_| {});
    let many: Vec<String> =
        (0..100).map(|number| format!("[{}{number}.example]", "host".repeat(12))).collect();
    length.route = smart_hosts(&many.iter().map(String::as_str).collect::<Vec<_>>());
    for (connector, expected) in [
        (ciphers, Inexpressible::Part(Part::Ciphers)),
        (path, Inexpressible::Path),
        (port, Inexpressible::Port),
        (length, Inexpressible::Length),
    ] {
        let (answer, gap) = told(connector);
        assert_eq!(gap.as_ref(), Some(&expected));
        assert_eq!(answer, format!("status=temp text=\"connector partner: {expected}\" end=ok"));
    }
}

#[test]
fn smart_hosts_are_answered_with_the_join_of_their_demands() {
    let routed = |name: &str, domain: &str, demand: &str, hops: &[&str]| Outbound {
        route: smart_hosts(hops),
        ..outbound(name, &[domain], demand)
    };
    // The host belongs to a stricter connector.
    let owner = outbound("owner", &["*.relay.example"], "secure mx.relay.example");
    let through = routed("through", "partner.example", "encrypt", &["[mx.relay.example]"]);
    let snapshot = compile(&agreements(vec![owner, through], Vec::new()), 1, String::new()).unwrap();
    let policy = &snapshot.outbound().get(1).unwrap().exim;
    assert_eq!(policy.answer, "status=ok tls=cert hosts=mx.relay.example end=ok");
    assert_eq!(policy.joined.as_ref().map(ToString::to_string).as_deref(), Some("secure, mx.relay.example"));
    // Two hosts that cannot be demanded in one answer.
    let owners = [
        outbound("one", &["one.example"], "secure one.example"),
        outbound("two", &["two.example"], "secure two.example"),
        routed("through", "partner.example", "encrypt", &["[one.example]", "[two.example]"]),
    ];
    let snapshot = compile(&agreements(owners.to_vec(), Vec::new()), 1, String::new()).unwrap();
    let policy = &snapshot.outbound().get(2).unwrap().exim;
    assert_eq!(policy.gap, Some(Inexpressible::Hosts(Unjoinable::Names)));
    assert_eq!(snapshot.exim_gaps().len(), 1);
    // One that reports would answer for itself.
    let mut reporting = owners.to_vec();
    reporting.last_mut().unwrap().mode = Mode::Report;
    let snapshot = compile(&agreements(reporting, Vec::new()), 1, String::new()).unwrap();
    assert_eq!(snapshot.outbound().get(2).unwrap().exim.gap, None);
}

#[test]
fn what_is_joined_is_of_enforcing_connectors_with_smart_hosts() {
    let joined = |texts: &[&str]| {
        let snapshot = compile(&agreements(connectors(texts), Vec::new()), 1, String::new()).unwrap();
        snapshot.outbound().first().unwrap().exim.joined.as_ref().map(ToString::to_string)
    };
    assert_eq!(joined(&["encrypt of a.x"]), None);
    assert_eq!(joined(&["encrypt of a.x, through [h.q]"]).as_deref(), Some("encrypt"));
    let owned = "verify of *.q";
    let joint = Some("verify, the name of the MX host");
    assert_eq!(joined(&["encrypt of a.x, through [h.q]", owned]).as_deref(), joint);
    // Another connector has made the host's answer.
    let other = "verify of b.x, through [h.q]";
    assert_eq!(joined(&["encrypt of a.x, through [h.q], report", other]), None);
}

#[test]
fn an_answer_has_a_longest_length() {
    let answer = |bytes: usize| {
        let hosts = bytes - "status=ok tls=encrypt hosts= end=ok".len();
        let hundreds = (0..hosts / 100).map(|number| format!("[{number:060}.{}.c]", "b".repeat(36)));
        let rest = format!("[{}.c]", "a".repeat(hosts % 100 - 2));
        let hops = hundreds.chain([rest]).collect::<Vec<_>>().join(" ");
        let connector = connectors(&[&format!("encrypt of a.x, through {hops}")]);
        let snapshot = compile(&agreements(connector, Vec::new()), 1, String::new()).unwrap();
        let policy = &snapshot.outbound().first().unwrap().exim;
        (policy.answer.len(), policy.gap.clone())
    };
    assert_eq!(answer(4096), (4096, None));
    assert_eq!(answer(4097).1, Some(Inexpressible::Length));
}

#[test]
fn the_paths_that_can_be_told_are_plain() {
    for (path, expected) in [
        ("/etc/ssl/ca_file-1.pem", true),
        ("/srv/a b,c=d+e@f.pem", true),
        ("/etc/$ca.pem", false),
        ("/etc/ca:1.pem", false),
        ("/etc/{ca}.pem", false),
        ("/etc/\u{e4}.pem", false),
        ("/etc/a\nb.pem", false),
        ("/etc/a\\b.pem", false),
    ] {
        let told = plain(Path::new(path));
        assert_eq!(told, if expected { Ok(path.to_owned()) } else { Err(Inexpressible::Path) });
    }
}

#[test]
fn people_are_told_what_happens_and_what_to_do() {
    use Transport::{Cert, Dane, Encrypt, Host, May, Pin};
    let meanings = [May, Encrypt, Host, Cert, Pin, Dane].map(Transport::meaning);
    assert_eq!(BTreeSet::from(meanings).len(), meanings.len());
    for (meaning, plaintext) in meanings.into_iter().zip([true, false, false, false, false, false]) {
        assert_eq!(meaning.contains("plaintext"), plaintext, "{meaning}");
        assert_eq!(meaning.contains("or defers"), !plaintext, "{meaning}");
    }
    let gaps = [
        (Inexpressible::Part(Part::Ciphers), "ciphers"),
        (Inexpressible::ServerName, "servername"),
        (Inexpressible::Port, "route"),
        (Inexpressible::Path, "ca_file"),
        (Inexpressible::Hosts(Unjoinable::Names), "route"),
        (Inexpressible::Length, "route"),
    ];
    let helps: BTreeSet<&str> = gaps.iter().map(|(gap, _)| gap.help()).collect();
    assert_eq!(helps.len(), gaps.len(), "each has its own help");
    for (gap, key) in gaps {
        assert_eq!(gap.key(), key, "{gap}");
    }
}
