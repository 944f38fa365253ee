//! Lookups against a resolver of the test, and what is reported.

#![allow(clippy::unwrap_used)]

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType::{A, AAAA, CNAME, MX, TLSA};

use super::chains::{authority, now, params, record};
use super::*;
use crate::model::Domain;
use crate::validate::dns::responder::{Reply, Responder, rdata};
use crate::validate::route::{Destination, hops};

const DIGEST: &str = "3 1 1 0000000000000000000000000000000000000000000000000000000000000000";

#[tokio::test]
async fn records_are_looked_for_where_postfix_looks() {
    let secure = |owner: &str, kind, text: &str| Reply::default().with(owner, rdata(kind, text));
    let alias = |owner: &str, target: &str| secure(owner, CNAME, target);
    let mut responder = Responder::default();
    for (domain, host) in [
        ("plain", "mx"),
        ("none", "bare"),
        ("unsigned", "open"),
        ("broken", "broken"),
        ("forged", "forged"),
        ("alias", "alias"),
        ("alias2", "alias2"),
        ("alias3", "alias3"),
        ("alias4", "alias4"),
    ] {
        let (domain, host) = (format!("{domain}.test"), format!("{host}.host"));
        responder = responder.records(&domain, MX, &[&format!("10 {host}.")]);
        let target = match host.as_str() {
            "alias.host" => "mx.host.",
            "alias2.host" => "bare.host.",
            "alias3.host" | "alias4.host" => "open.host.",
            _ => {
                let reply = secure(&host, A, "192.0.2.1");
                let reply = if host == "open.host" { reply.insecure() } else { reply };
                responder = responder.say(&host, A, reply);
                continue;
            }
        };
        for kind in [A, AAAA] {
            responder = responder.say(&host, kind, alias(&host, target));
        }
        responder = match host.as_str() {
            "alias4.host" => responder.say(&host, CNAME, alias(&host, target).insecure()),
            _ => responder.say(&host, CNAME, alias(&host, target)),
        };
    }
    for host in ["mx", "open", "alias2", "alias3", "alias4"] {
        responder = responder.records(&format!("_25._tcp.{host}.host"), TLSA, &[DIGEST]);
    }
    let tlsa = "_25._tcp.forged.host";
    let responder = responder.say("_25._tcp.broken.host", TLSA, Reply::code(ResponseCode::ServFail)).say(
        tlsa,
        TLSA,
        secure(tlsa, TLSA, DIGEST).insecure(),
    );
    let dns = responder.dns().await;

    let found = |base: &str| Tlsa::Found {
        base: base.to_owned(),
        records: vec![Record { data: vec![0; 32], ..record(3, 1, 1, b"") }],
    };
    let table = [
        ("plain.test", found("mx.host")),
        ("none.test", Tlsa::Absent),
        ("unsigned.test", Tlsa::NotSecure),
        ("broken.test", Tlsa::Failed(Error::ServerFailure)),
        ("forged.test", Tlsa::Absent),
        ("alias.test", found("mx.host")),
        ("alias2.test", found("alias2.host")),
        ("alias3.test", found("alias3.host")),
        ("alias4.test", Tlsa::NotSecure),
    ];
    for (name, expected) in table {
        let destination = Destination::Domain(Domain::parse(name).unwrap());
        let route = hops(&dns, &destination).await.unwrap();
        assert_eq!(look(&dns, route.hops.first().unwrap()).await, expected, "{name}");
    }
}

#[tokio::test]
async fn reports() {
    let authority = authority();
    let (leaf, key) = authority.leaf(params("leaf", &["a.test"]));
    let dns = Responder::default()
        .records("mx.host", A, &["192.0.2.1"])
        .records("a.test", MX, &["10 mx.host."])
        .say("b.test", MX, Reply::default().with("b.test", rdata(MX, "10 mx.host.")).insecure())
        .dns()
        .await;
    let records = |records: Vec<Record>| Tlsa::Found { base: "mx.host".to_owned(), records };
    let whole = [leaf.clone(), authority.intermediate.clone()];
    let chain = Some(&whole[..]);
    // domain, records, chain; present, authenticated, matches, words
    let table = [
        ("a.test", Tlsa::NotSecure, chain, false, false, None, "DNSSEC does not vouch"),
        ("a.test", Tlsa::Absent, chain, false, false, None, "no TLSA records"),
        ("a.test", Tlsa::Failed(Error::ServerFailure), chain, false, false, None, "SERVFAIL"),
        ("a.test", records(vec![record(3, 1, 1, &key)]), chain, true, true, Some(true), "TLSA 3 1 1"),
        ("b.test", records(vec![record(3, 1, 1, &key)]), chain, true, false, Some(true), "dane-only never"),
        (
            "a.test",
            records(vec![record(3, 1, 1, b"x")]),
            chain,
            true,
            true,
            Some(false),
            "no TLSA record is about",
        ),
        // The domain's name will do, since DNSSEC vouches for the way from it.
        (
            "a.test",
            records(vec![record(2, 0, 1, &authority.intermediate)]),
            chain,
            true,
            true,
            Some(true),
            "TLSA 2 0 1",
        ),
        (
            "b.test",
            records(vec![record(2, 0, 1, &authority.intermediate)]),
            chain,
            true,
            false,
            Some(false),
            "does not show the name mx.host or b.test",
        ),
        ("a.test", records(vec![record(0, 0, 1, &leaf)]), chain, true, true, None, "usage is none of those"),
        ("a.test", records(vec![record(3, 1, 1, &key)]), None, true, true, None, "not compared"),
    ];
    for (domain, tlsa, chain, present, authenticated, matches, words) in table {
        let destination = Destination::Domain(Domain::parse(domain).unwrap());
        let route = hops(&dns, &destination).await.unwrap();
        let report = report(&tlsa, route.hops.first().unwrap(), chain, now());
        assert_eq!(
            (report.present, report.authenticated, report.matches),
            (present, authenticated, matches),
            "{tlsa:?}"
        );
        assert!(report.detail.contains(words), "{}", report.detail);
    }
}
