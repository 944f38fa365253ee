//! Against a resolver of the test that says what a table says.

#![allow(clippy::unwrap_used)]

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType::{A, AAAA, CNAME, MX, TXT};

use super::*;
use crate::model::sample::smart_hosts;
use crate::validate::dns::responder::{Reply, Responder, rdata};

fn servfail() -> Reply {
    Reply::code(ResponseCode::ServFail)
}

/// A partner for each thing that can be wrong.
fn partners() -> Responder {
    Responder::default()
        .records("mx1.host", A, &["192.0.2.1", "192.0.2.2"])
        .records("mx1.host", AAAA, &["2001:db8::1"])
        .records("mx2.host", A, &["192.0.2.3"])
        .records("empty.host", TXT, &["x"])
        .say("broken.host", A, servfail())
        .say("broken.host", AAAA, servfail())
        .say("half.host", A, servfail())
        .records("half.host", AAAA, &["2001:db8::2"])
        .say("alias.host", A, Reply::default().with("alias.host", rdata(CNAME, "mx2.host.")))
        .say("alias.host", AAAA, Reply::default().with("alias.host", rdata(CNAME, "mx2.host.")))
        .say("circle.host", A, Reply::default().with("circle.host", rdata(CNAME, "circle.host.")))
        .say("circle.host", AAAA, Reply::default().with("circle.host", rdata(CNAME, "circle.host.")))
        .records("two.test", MX, &["20 mx2.host.", "10 MX1.host.", "30 mx1.host."])
        .records("equal.test", MX, &["10 mx2.host.", "10 mx1.host."])
        .records("bare.test", A, &["192.0.2.9"])
        .records("null.test", MX, &["0 ."])
        .records("null-and.test", MX, &["10 mx1.host.", "0 ."])
        .records("literal.test", MX, &["10 192.0.2.7."])
        .records("odd.test", MX, &["10 a\\.b.host.", "20 mx2.host."])
        .records("odd-only.test", MX, &["10 a\\.b.host."])
        .records("one-lost.test", MX, &["10 gone.host.", "20 mx2.host."])
        .records("all-lost.test", MX, &["10 gone.host.", "20 empty.host.", "30 broken.host."])
        .records("circle.test", MX, &["10 circle.host."])
        .records("half.test", MX, &["10 half.host."])
        .records("alias.test", MX, &["10 alias.host."])
        .records("no-mail.test", TXT, &["x"])
        .say("servfail.test", MX, servfail())
        .records("servfail.test", A, &["192.0.2.9"])
        .say("servfail-address.test", A, servfail())
        .say("moved.test", MX, Reply::default().with("moved.test", rdata(CNAME, "two.test.")))
}

/// The hops in few words: `10 mx1.host:25 192.0.2.1,192.0.2.2`, or the reason's verdict and code.
fn shown(found: &Found) -> Vec<String> {
    let hop = |hop: &Hop| {
        let addresses = match &hop.addresses {
            Ok(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            Err(reason) => format!("{:?} {}", reason.verdict, reason.code),
        };
        format!("{} {}:{} {addresses}", hop.preference, hop.host, hop.port)
    };
    found.hops.iter().map(hop).collect()
}

fn codes(found: &Found) -> Vec<String> {
    found.findings.iter().map(|finding| format!("{:?} {}", finding.verdict, finding.code)).collect()
}

#[tokio::test]
async fn domains() {
    let dns = partners().dns().await;
    let mx1 = "192.0.2.1,192.0.2.2,2001:db8::1";
    let two = [format!("10 mx1.host:25 {mx1}"), "20 mx2.host:25 192.0.2.3".to_owned()];
    let two: Vec<&str> = two.iter().map(String::as_str).collect();
    let equal = [format!("10 mx1.host:25 {mx1}"), "10 mx2.host:25 192.0.2.3".to_owned()];
    let equal: Vec<&str> = equal.iter().map(String::as_str).collect();
    type Row<'a> = (&'a str, Result<&'a [&'a str], &'a str>, &'a [&'a str]);
    let table: [Row<'_>; 19] = [
        ("two.test", Ok(&two), &[]),
        ("moved.test", Ok(&two), &[]),
        ("equal.test", Ok(&equal), &[]),
        ("bare.test", Ok(&["0 bare.test:25 192.0.2.9"]), &["Pass no-mx"]),
        ("192.0.2.5", Ok(&["0 192.0.2.5:25 192.0.2.5"]), &["Pass no-mx"]),
        ("null.test", Err("null-mx"), &[]),
        ("null-and.test", Err("null-mx"), &[]),
        ("literal.test", Ok(&["10 192.0.2.7:25 192.0.2.7"]), &["Warn mx-is-address"]),
        ("odd.test", Ok(&["20 mx2.host:25 192.0.2.3"]), &["Warn mx-name-invalid"]),
        ("odd-only.test", Err("mx-name-invalid"), &[]),
        ("one-lost.test", Ok(&["10 gone.host:25 Warn host-not-found", "20 mx2.host:25 192.0.2.3"]), &[]),
        (
            "all-lost.test",
            Ok(&[
                "10 gone.host:25 Fail host-not-found",
                "20 empty.host:25 Fail host-no-address",
                "30 broken.host:25 Fail dns-failure",
            ]),
            &[],
        ),
        ("circle.test", Ok(&["10 circle.host:25 Fail cname-loop"]), &[]),
        ("half.test", Ok(&["10 half.host:25 2001:db8::2"]), &["Warn addresses-incomplete"]),
        ("alias.test", Ok(&["10 alias.host:25 192.0.2.3"]), &["Pass mx-is-alias"]),
        ("no-mail.test", Err("no-mail-host"), &[]),
        ("nxdomain.test", Err("no-such-domain"), &[]),
        ("servfail.test", Err("dns-failure"), &[]),
        ("servfail-address.test", Err("dns-failure"), &[]),
    ];
    for (name, expected, findings) in table {
        let destination = Destination::Domain(Domain::parse(name).unwrap());
        let found = hops(&dns, &destination).await;
        match (&found, expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(shown(found), expected, "{name}");
                assert_eq!(codes(found), findings, "{name}");
                assert!(found.hops.iter().all(|hop| hop.next_hop == name), "{name}");
            }
            (Err(reason), Err(code)) => {
                assert_eq!((reason.verdict, reason.code.as_str()), (Verdict::Fail, code), "{name}");
                assert!(reason.reason.contains(name), "{name}");
            }
            _ => panic!("{name}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn a_domain_that_does_not_answer_in_time() {
    let responder = Responder::default().say("silent.test", MX, Reply::silence());
    let servers = [responder.serve().await];
    let dns = Dns::at(&servers, std::time::Duration::from_millis(200)).unwrap();
    let destination = Destination::Domain(Domain::parse("silent.test").unwrap());
    let reason = hops(&dns, &destination).await.unwrap_err();
    assert_eq!((reason.verdict, reason.code.as_str()), (Verdict::Fail, "dns-timeout"));
}

#[tokio::test]
async fn smart_hosts_are_taken_in_their_order() {
    let dns = partners().dns().await;
    let table: [(&[&str], &[&str]); 7] = [
        (&["[mx2.host]:587"], &["0 mx2.host:587 192.0.2.3"]),
        (
            &["[mx2.host]:submission", "[192.0.2.8]"],
            &["0 mx2.host:587 192.0.2.3", "1 192.0.2.8:25 192.0.2.8"],
        ),
        (&["[2001:db8::5]:2525"], &["0 2001:db8::5:2525 2001:db8::5"]),
        // Without brackets the MX records count, with the port kept.
        (&["one-lost.test:2525"], &["0 gone.host:2525 Warn host-not-found", "0 mx2.host:2525 192.0.2.3"]),
        (&["[two.test]"], &["0 two.test:25 Fail host-no-address"]),
        (
            &["null.test", "[gone.host]", "[mx2.host]"],
            &["0 null.test:25 Warn null-mx", "1 gone.host:25 Warn host-not-found", "2 mx2.host:25 192.0.2.3"],
        ),
        (&["[mx2.host]:no-such-service"], &["0 mx2.host:0 Fail unknown-port"]),
    ];
    for (texts, expected) in table {
        let destination = Destination::SmartHosts(smart_hosts(texts).smart_hosts().to_vec());
        assert_eq!(shown(&hops(&dns, &destination).await.unwrap()), expected, "{texts:?}");
    }
    let destination = Destination::SmartHosts(smart_hosts(&["[mx2.host]:587"]).smart_hosts().to_vec());
    let found = hops(&dns, &destination).await.unwrap();
    assert_eq!(found.hops.first().unwrap().next_hop, "mx2.host");
}

#[tokio::test]
async fn dnssec_is_kept_for_every_part_of_the_way() {
    let insecure = |owner: &str, kind, text: &str| Reply::default().with(owner, rdata(kind, text)).insecure();
    let dns = partners()
        .say("insecure.test", MX, insecure("insecure.test", MX, "10 mx2.host."))
        .say("open.host", A, insecure("open.host", A, "192.0.2.4"))
        .records("open.test", MX, &["10 open.host."])
        .dns()
        .await;
    // name, the whole way, MX, host, the name behind aliases, the names of the domain
    type Row<'a> = (&'a str, bool, bool, bool, Option<&'a str>, &'a [&'a str]);
    let table: [Row<'_>; 6] = [
        ("alias.test", true, true, true, Some("mx2.host"), &["alias.test"]),
        ("insecure.test", false, false, true, Some("mx2.host"), &["insecure.test"]),
        ("open.test", false, true, false, Some("open.host"), &["open.test"]),
        ("moved.test", true, true, true, Some("mx1.host"), &["two.test", "moved.test"]),
        ("bare.test", true, true, true, Some("bare.test"), &[]),
        ("literal.test", false, true, false, None, &["literal.test"]),
    ];
    for (name, secure, mx_secure, host_secure, expanded, domains) in table {
        let destination = Destination::Domain(Domain::parse(name).unwrap());
        let found = hops(&dns, &destination).await.unwrap();
        let hop = found.hops.first().unwrap();
        let trail = Trail {
            mx_secure,
            host_secure,
            expanded: expanded.map(|name| Domain::parse(name).unwrap()),
            domains: domains.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!((hop.secure, &hop.trail), (secure, &trail), "{name}");
    }
}
