//! Against a resolver of the test that says what a table says.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType::{self, A, AAAA, CNAME, MX, TLSA, TXT};

use super::responder::{Reply, Responder, rdata};
use super::*;

/// A chain of aliases that the resolver follows in one reply, or leaves to us.
fn chain(reply: Reply, length: usize) -> Reply {
    (0..length).fold(reply, |reply, step| {
        let target = format!("c{}.example.", step + 1);
        reply.with(&format!("c{step}.example"), rdata(CNAME, &target))
    })
}

fn alias(owner: &str, target: &str) -> Reply {
    Reply::default().with(owner, rdata(CNAME, target))
}

#[tokio::test]
async fn errors_are_told_apart() {
    let responder = Responder::default()
        .records("other.example", TXT, &["x"])
        .say("servfail.example", MX, Reply::code(ResponseCode::ServFail))
        .say("refused.example", MX, Reply::code(ResponseCode::Refused))
        .say("formerr.example", MX, Reply::code(ResponseCode::FormErr))
        .say("dangling.example", MX, alias("dangling.example", "nowhere.example."))
        .say(
            "dangling-at-once.example",
            MX,
            Reply::code(ResponseCode::NXDomain)
                .with("dangling-at-once.example", rdata(CNAME, "nowhere.example.")),
        )
        .say("loop.example", MX, alias("loop.example", "pool.example."))
        .say("pool.example", MX, alias("pool.example", "loop.example."))
        .say("self.example", MX, alias("self.example", "self.example."))
        .say("astray.example", MX, alias("astray.example", "bad\\.name.example."));
    let dns = responder.dns().await;
    let table = [
        ("nxdomain.example", Error::NoSuchName),
        ("other.example", Error::NoData),
        ("servfail.example", Error::ServerFailure),
        ("refused.example", Error::Refused(5)),
        ("formerr.example", Error::Refused(1)),
        ("dangling.example", Error::NoSuchName),
        ("dangling-at-once.example", Error::NoSuchName),
        ("loop.example", Error::Loop),
        ("self.example", Error::Loop),
        ("astray.example", Error::Name),
        ("no name.example", Error::Name),
        ("", Error::Name),
    ];
    for (name, expected) in table {
        assert_eq!(dns.mx(name).await, Err(expected), "{name}");
    }
}

#[tokio::test]
async fn what_is_asked_is_bounded() {
    let responder = Responder::default().say("self.example", MX, alias("self.example", "self.example.")).say(
        "servfail.example",
        MX,
        Reply::code(ResponseCode::ServFail),
    );
    let dns = responder.dns().await;
    for (name, most) in [("self.example", MAX_STEPS), ("servfail.example", 2), ("nxdomain.example", 1)] {
        dns.mx(name).await.unwrap_err();
        let times = responder.asked().iter().filter(|(asked, _)| asked == name).count();
        assert_eq!(times, most, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let timeout = Duration::from_millis(200);
    let dns = Dns::at(&[silent.local_addr().unwrap()], timeout).unwrap();
    assert_eq!(dns.mx("silent.example").await, Err(Error::Timeout));

    let responder = Responder::default().say("silent.example", MX, Reply::silence());
    let dns = Dns::at(&[responder.serve().await], timeout).unwrap();
    assert_eq!(dns.mx("silent.example").await, Err(Error::Timeout));
}

#[tokio::test]
async fn the_next_server_helps_where_the_first_cannot() {
    let bad = Responder::default().say("a.example", MX, Reply::code(ResponseCode::ServFail));
    let good = Responder::default().records("a.example", MX, &["10 mx.a.example."]).records(
        "b.example",
        MX,
        &["10 mx.b.example."],
    );
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for first in [bad.serve().await, silent.local_addr().unwrap()] {
        let servers = [first, good.serve().await];
        let dns = Dns::at(&servers, Duration::from_secs(2)).unwrap();
        assert!(dns.mx("a.example").await.is_ok(), "{first}");
    }
    // "There is none" is an answer.
    let dns = Dns::at(&[bad.serve().await, good.serve().await], Duration::from_secs(2)).unwrap();
    assert_eq!(dns.mx("b.example").await, Err(Error::NoSuchName));
    assert!(!good.asked().iter().any(|(name, _)| name == "b.example"));
}

#[tokio::test]
async fn records_are_read() {
    let responder = Responder::default()
        .records("a.example", MX, &["20 MX2.a.example.", "10 mx1.a.example."])
        .records("null.example", MX, &["0 ."])
        .records("literal.example", MX, &["10 192.0.2.1."])
        .records("odd.example", MX, &["10 bad\\.name.example."])
        .records("t.example", TXT, &["\"v=STSv1; \" \"id=1;\"", "other"])
        .records("_25._tcp.a.example", TLSA, &["3 1 1 ABCD"]);
    let dns = responder.dns().await;
    let host = |name: &str| Exchange::Host(Domain::parse(name).unwrap());
    let table = [
        ("a.example", vec![(20, host("mx2.a.example")), (10, host("mx1.a.example"))]),
        ("null.example", vec![(0, Exchange::Null)]),
        ("literal.example", vec![(10, host("192.0.2.1"))]),
        ("odd.example", vec![(10, Exchange::Invalid("bad\\.name.example.".to_owned()))]),
    ];
    for (name, expected) in table {
        let records = dns.mx(name).await.unwrap().records;
        let read: Vec<_> = records.into_iter().map(|mx| (mx.preference, mx.exchange)).collect();
        assert_eq!(read, expected, "{name}");
    }
    assert_eq!(dns.txt("t.example").await.unwrap().records, [b"v=STSv1; id=1;".to_vec(), b"other".to_vec()]);
    let record = Record { usage: 3, selector: 1, matching: 1, data: vec![0xab, 0xcd] };
    assert_eq!(dns.tlsa("_25._tcp.a.example").await.unwrap().records, [record]);
}

#[tokio::test]
async fn every_step_must_be_authenticated() {
    let address = |owner: &str| Reply::default().with(owner, rdata(A, "192.0.2.1"));
    let responder = Responder::default()
        .say("secure.example", A, address("secure.example"))
        .say("insecure.example", A, address("insecure.example").insecure())
        .say("to-secure.example", A, alias("to-secure.example", "secure.example."))
        .say("to-insecure.example", A, alias("to-insecure.example", "insecure.example."))
        .say("insecurely.example", A, alias("insecurely.example", "secure.example.").insecure())
        .say(
            "at-once.example",
            A,
            alias("at-once.example", "z.example.").with("z.example", rdata(A, "192.0.2.1")),
        )
        .records("both.example", A, &["192.0.2.1"])
        .say(
            "both.example",
            AAAA,
            Reply::default().with("both.example", rdata(AAAA, "2001:db8::1")).insecure(),
        );
    let dns = responder.dns().await;
    let table = [
        ("secure.example", true, "secure.example"),
        ("insecure.example", false, "insecure.example"),
        ("to-secure.example", true, "secure.example"),
        ("to-insecure.example", false, "insecure.example"),
        ("insecurely.example", false, "secure.example"),
        ("at-once.example", true, "z.example"),
        ("both.example", false, "both.example"),
    ];
    for (name, secure, owner) in table {
        let answer = dns.addresses(name).await.unwrap().answer;
        assert_eq!((answer.secure, answer.owner.as_str()), (secure, owner), "{name}");
    }
}

#[tokio::test]
async fn aliases_are_followed_as_far_as_postfix_follows_them() {
    let mut responder = Responder::default();
    for step in 0..MAX_STEPS {
        let name = format!("c{step}.example");
        let target = format!("c{}.example.", step + 1);
        responder = responder.say(&name, A, alias(&name, &target));
    }
    let last = format!("c{MAX_STEPS}.example");
    let responder = responder.records(&last, A, &["192.0.2.1"]).say(
        "c0.example",
        TXT,
        chain(Reply::default(), 40).with("c40.example", rdata(TXT, "x")),
    );
    let dns = responder.dns().await;
    assert_eq!(dns.addresses("c0.example").await, Err(Error::Loop));
    assert!(dns.addresses("c1.example").await.is_ok());
    // One reply is one step, however long.
    assert!(dns.txt("c0.example").await.is_ok());
}

#[tokio::test]
async fn one_kind_of_address_is_enough() {
    let servfail = || Reply::code(ResponseCode::ServFail);
    let responder = Responder::default()
        .records("a.example", A, &["192.0.2.1"])
        .records("aaaa.example", AAAA, &["2001:db8::1"])
        .records("both.example", AAAA, &["2001:db8::1"])
        .records("both.example", A, &["192.0.2.1", "192.0.2.2"])
        .records("half.example", A, &["192.0.2.1"])
        .say("half.example", AAAA, servfail())
        .records("none.example", TXT, &["x"])
        .records("soft.example", A, &[])
        .say("soft.example", AAAA, servfail());
    let dns = responder.dns().await;
    let known = |texts: &[&str], missing| {
        let records: Vec<IpAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Ok((records, missing))
    };
    let table = [
        ("a.example", known(&["192.0.2.1"], None)),
        ("aaaa.example", known(&["2001:db8::1"], None)),
        ("both.example", known(&["192.0.2.1", "192.0.2.2", "2001:db8::1"], None)),
        ("half.example", known(&["192.0.2.1"], Some(("AAAA", Error::ServerFailure)))),
        ("none.example", Err(Error::NoData)),
        ("nxdomain.example", Err(Error::NoSuchName)),
        ("soft.example", Err(Error::ServerFailure)),
    ];
    for (name, expected) in table {
        let addresses = dns.addresses(name).await.map(|found| (found.answer.records, found.missing));
        assert_eq!(addresses, expected, "{name}");
    }
}

#[tokio::test]
async fn a_truncated_answer_comes_by_tcp_and_a_long_one_is_cut() {
    let many = |count: usize| {
        (0..count).fold(Reply::default(), |reply, n| {
            reply.with("m.example", rdata(MX, &format!("{n} mx{n}.m.example.")))
        })
    };
    for (count, kept, cut) in [(1, 1, false), (MAX_RECORDS, MAX_RECORDS, false), (101, MAX_RECORDS, true)] {
        let responder = Responder::default().say("m.example", MX, many(count).truncated());
        let answer = responder.dns().await.mx("m.example").await.unwrap();
        assert_eq!((answer.records.len(), answer.cut, answer.secure), (kept, cut, true), "{count}");
    }
}

#[tokio::test]
async fn special_names_are_asked_for_like_any_other() {
    let kinds: [RecordType; 2] = [A, AAAA];
    let responder = Responder::default();
    let dns = responder.dns().await;
    for name in ["localhost", "x.invalid", "x.onion", "single"] {
        assert_eq!(dns.addresses(name).await, Err(Error::NoSuchName), "{name}");
        for kind in kinds {
            assert!(responder.asked().contains(&(name.to_owned(), kind)), "{name}");
        }
    }
}
