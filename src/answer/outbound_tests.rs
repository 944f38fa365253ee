//! Tables of keys and the replies they must get.

#![allow(clippy::unwrap_used)]

use super::{Answered as _, socketmap, tls, transport};
use crate::model::mta::PostfixVersion;
use crate::model::sample::{agreements, outbound, patterns, requirement, smart_hosts};
use crate::model::{Mode, Outbound, PatternSet};
use crate::snapshot::{Conflict, Snapshot, compile, postfix_reader};

fn snapshot(connectors: Vec<Outbound>) -> Snapshot {
    compile(&agreements(connectors, Vec::new()), 7, String::new()).unwrap()
}

fn conflicts(connectors: Vec<Outbound>) -> Vec<Conflict> {
    compile(&agreements(connectors, Vec::new()), 7, String::new()).err().unwrap_or_default()
}

fn reply(snapshot: &Snapshot, key: &str) -> String {
    let payload = tls(snapshot, key.as_bytes()).reply.payload();
    // S14: of every reply here.
    assert_eq!(postfix_reader::reply(&payload), Ok(()), "{key}: {payload}");
    payload
}

fn partners() -> Snapshot {
    let mut report = outbound("trial", &["*.example.com"], "secure mx.example.com");
    report.mode = Mode::Report;
    let mut off = outbound("off", &["off.example"], "secure mx.off.example");
    off.mode = Mode::Off;
    let mut hosted = outbound("hosted", &["hosted.example"], "secure mail.host.example");
    hosted.route = smart_hosts(&["[mail.host.example]:587", "[192.0.2.7]"]);
    let mut lists = outbound("contoso", &["*.contoso.com"], "secure *.contoso.com mail.filter.net");
    lists.except = PatternSet::new(patterns(&["lists.contoso.com"]));
    snapshot(vec![
        outbound("plain", &["example.com", "b\u{fc}cher.example"], "encrypt"),
        outbound("below", &[".below.example"], "verify"),
        lists,
        hosted,
        report,
        off,
    ])
}

#[test]
fn s3_s4_s5_s6_s7_s11_s12_keys_get_the_requirement_of_their_connector() {
    let contoso = "OK secure match=contoso.com:.contoso.com:mail.filter.net";
    let host = "OK secure match=mail.host.example";
    let table = [
        ("example.com", "OK encrypt"),
        ("EXAMPLE.com", "OK encrypt"),
        ("example.com.", "OK encrypt"),
        ("sub.example.com", "NOTFOUND "),
        ("contoso.com", contoso),
        ("a.b.Contoso.COM", contoso),
        ("lists.contoso.com", "NOTFOUND "),
        ("a.lists.contoso.com", contoso),
        ("below.example", "NOTFOUND "),
        ("a.below.example", "OK verify"),
        ("b\u{fc}cher.example", "OK encrypt"),
        ("xn--bcher-kva.example", "OK encrypt"),
        ("off.example", "NOTFOUND "),
        ("foo_bar.example", "NOTFOUND "),
        // Not example.com, however alike
        ("example.com.evil.net", "NOTFOUND "),
        ("evilexample.com", "NOTFOUND "),
        ("exampl\u{435}.com", "NOTFOUND "),
        // Hosts
        ("[mail.host.example]:587", host),
        ("[mail.host.example]:25", host),
        ("[mail.host.example]:submission", host),
        ("[MAIL.host.example]", host),
        ("mail.host.example:587", host),
        ("mail.host.example", "NOTFOUND "),
        ("hosted.example", host),
        ("[192.0.2.7]:2525", host),
        ("[192.0.2.8]", "NOTFOUND "),
        ("[IPv6:2001:db8::1]:25", "NOTFOUND "),
        ("[example.com]:587", "OK encrypt"),
        // Parents
        (".example.com", "NOTFOUND "),
        (".com", "NOTFOUND "),
        (".", "PERM invalid key: empty domain name"),
        ("..a", "PERM invalid key: empty label in domain name"),
    ];
    let snapshot = partners();
    for (key, expected) in table {
        assert_eq!(reply(&snapshot, key), expected, "{key}");
    }
}

#[test]
fn s8_s9_s10_what_is_no_key_is_refused_and_never_not_found() {
    let long_label = format!("{}.com", "a".repeat(64));
    let long = "a".repeat(10_000);
    let snapshot = partners();
    for key in [
        "exam\0le.com",
        "example\ncom",
        "example.com\r\n",
        "example.com,",
        "example.com other.com",
        " example.com",
        "example..com",
        "-example.com",
        "*.example.com",
        "*",
        "a@example.com",
        "/run/lmtp.sock",
        "[example.com",
        "example.com]",
        "[]",
        "example.com:",
        "example.com:0",
        "[example.com]:99999",
        &long_label,
        &long,
    ] {
        let reply = reply(&snapshot, key);
        assert!(reply.starts_with("PERM invalid key: "), "{key:?}: {reply}");
        assert!(reply.len() < 200 && reply.bytes().all(|b| (0x20..0x7f).contains(&b)), "{reply:?}");
    }
    assert_eq!(tls(&snapshot, b"\xff\xfe.com").reply.payload(), "PERM key is not UTF-8");
    assert_eq!(tls(&snapshot, b"").reply.payload(), "PERM empty request");
}

#[test]
fn s1_s2_a_map_that_does_not_exist_is_not_no_policy() {
    let snapshot = partners();
    let unknown = "PERM unknown map; this server has the maps tls and transport";
    type Case = (&'static [u8], Option<&'static [u8]>, &'static str);
    let table: [Case; 9] = [
        (b"tls", Some(b"example.com"), "OK encrypt"),
        (b"transport", Some(b"bob@example.com"), "OK smtp:"),
        (b"transport", Some(b"example.com"), "NOTFOUND "),
        (b"other", Some(b"example.com"), unknown),
        (b"TLS", Some(b"example.com"), unknown),
        (b"tls", None, "PERM empty request"),
        (b"tls", Some(b""), "PERM empty request"),
        (b"", None, "PERM empty request"),
        (b"transport", None, "PERM empty request"),
    ];
    for (map, key, expected) in table {
        assert_eq!(socketmap(&snapshot, map, key).reply.payload(), expected, "{map:?} {key:?}");
    }
}

#[test]
fn the_way_is_told_for_addresses_of_partners_alone() {
    let mut everyone = outbound("everyone", &["*"], "may");
    everyone.overrides = vec!["main.cf".to_owned()];
    let mut hosted = outbound("hosted", &["*.hosted.example"], "encrypt");
    hosted.route = smart_hosts(&["[mail.host.example]:587", "[192.0.2.7]"]);
    let mut all = agreements(vec![outbound("mx", &["example.com"], "encrypt"), hosted, everyone], Vec::new());
    all.mta.own_domains = PatternSet::new(patterns(&["ours.hosted.example"]));
    let snapshot = compile(&all, 1, String::new()).unwrap();
    let table = [
        ("bob@example.com", "OK smtp:"),
        ("Bob@EXAMPLE.com", "OK smtp:"),
        ("\"a b\"@example.com", "OK smtp:"),
        ("a b@example.com", "OK smtp:"),
        ("bob@a.hosted.example", "OK smtp:[mail.host.example]:587, [192.0.2.7]"),
        ("bob@ours.hosted.example", "NOTFOUND "),
        ("bob@other.example", "NOTFOUND "),
        ("*", "NOTFOUND "),
        ("example.com", "NOTFOUND "),
        ("bob", "NOTFOUND "),
        ("", "NOTFOUND "),
        ("bob@", "NOTFOUND "),
        ("bob@[192.0.2.1]", "NOTFOUND "),
        ("<>", "NOTFOUND "),
    ];
    for (key, expected) in table {
        assert_eq!(transport(&snapshot, key.as_bytes()).reply.payload(), expected, "{key}");
    }
    assert_eq!(transport(&snapshot, b"\xff@example.com").reply.payload(), "NOTFOUND ");
}

#[test]
fn a_reporting_connector_decides_beside_and_never_instead() {
    let snapshot = partners();
    let lookup = tls(&snapshot, b"example.com");
    assert_eq!(lookup.reply.payload(), "OK encrypt");
    let would: Vec<String> = lookup.report.iter().map(|report| report.would_reply.payload()).collect();
    assert_eq!(would, ["OK secure match=mx.example.com"]);
    let lookup = tls(&snapshot, b"a.example.com");
    assert_eq!(lookup.reply.payload(), "NOTFOUND ");
    assert_eq!(lookup.report.len(), 1);
}

#[test]
fn s7_connectors_at_one_smart_host_are_joined() {
    let mut strict = outbound("strict", &["strict.example"], "secure *.host.example");
    strict.route = smart_hosts(&["[mail.host.example]:587"]);
    let mut lax = outbound("lax", &["lax.example"], "encrypt");
    lax.route = smart_hosts(&["[mail.host.example]:25"]);
    let own = outbound("own", &["mail.host.example"], "secure mail.host.example x.host.example");
    let snapshot = snapshot(vec![lax.clone(), strict.clone(), own]);
    for key in ["[mail.host.example]:25", "[mail.host.example]:587", "[mail.host.example]"] {
        assert_eq!(reply(&snapshot, key), "OK secure match=mail.host.example:x.host.example", "{key}");
        assert_eq!(tls(&snapshot, key.as_bytes()).applies.len(), 3, "{key}");
    }
    assert_eq!(reply(&snapshot, "lax.example"), "OK encrypt");
    assert_eq!(reply(&snapshot, "mail.host.example"), "OK secure match=mail.host.example:x.host.example");

    let mut other = outbound("other", &["other.example"], "secure mail.other.example");
    other.route = smart_hosts(&["[mail.host.example]"]);
    let found = conflicts(vec![strict, other]);
    assert_eq!(found.len(), 1);
    let message = &found.first().unwrap().message;
    assert_eq!(
        message,
        "mail through mail.host.example must satisfy `other` too, and no certificate name satisfies all `match` lists"
    );
}

#[test]
fn a_star_covers_address_literals() {
    let snapshot = snapshot(vec![outbound("everyone", &["*"], "encrypt")]);
    for key in ["[192.0.2.10]", "[192.0.2.10]:25", "[IPv6:2001:db8::10]", "192.0.2.10", "anything.example"] {
        assert_eq!(reply(&snapshot, key), "OK encrypt", "{key}");
    }
}

#[test]
fn c5_one_domain_belongs_to_one_connector() {
    let found =
        conflicts(vec![outbound("a", &["*.x.example"], "encrypt"), outbound("b", &["x.example"], "encrypt")]);
    let messages: Vec<&str> = found.iter().map(|conflict| conflict.message.as_str()).collect();
    assert_eq!(messages, ["x.example belongs to the connector `a` already"]);
    let mut report = outbound("b", &["x.example"], "secure mx.x.example");
    report.mode = Mode::Report;
    assert_eq!(conflicts(vec![outbound("a", &["*.x.example"], "encrypt"), report]), []);
}

#[test]
fn c5_a_hidden_wider_connector_must_not_be_stronger() {
    // narrow demand, wide demand, whether it loads without `overrides`
    let table = [
        ("encrypt", "may", true),
        ("encrypt", "encrypt", true),
        ("encrypt", "secure a.example", false),
        ("encrypt", "dane", false),
        ("dane-only", "dane", true),
        ("dane-only", "encrypt", true),
        ("verify", "encrypt", true),
        ("secure a.example", "verify", true),
        ("secure a.example", "secure a.example b.example", true),
        ("secure a.example b.example", "secure a.example", false),
        ("secure domain", "secure x.example", false),
        ("secure *.a.x.example", "secure domain", true),
        ("secure y.example", "secure domain", false),
        ("secure domain", "secure *.x.example", true),
    ];
    for (narrow, wide, loads) in table {
        let wide_connector = outbound("wide", &["*"], wide);
        let mut narrow_connector = outbound("narrow", &["a.x.example"], narrow);
        for pair in [
            vec![wide_connector.clone(), narrow_connector.clone()],
            vec![narrow_connector.clone(), wide_connector.clone()],
        ] {
            assert_eq!(conflicts(pair).is_empty(), loads, "{narrow} under {wide}");
        }
        narrow_connector.overrides = vec!["wide".to_owned()];
        assert_eq!(conflicts(vec![wide_connector, narrow_connector]), [], "{narrow} overriding {wide}");
    }
}

#[test]
fn main_cf_is_the_widest_connector() {
    let mut all = agreements(vec![outbound("narrow", &["x.example"], "may")], Vec::new());
    all.mta.level = crate::model::Level::Encrypt;
    let found = compile(&all, 1, String::new()).err().unwrap();
    assert_eq!(
        found.first().unwrap().message,
        "for x.example this connector (may) is not at least as strong as the wider `main.cf` (encrypt, by [mta] level)"
    );
    all.outbound.first_mut().unwrap().overrides = vec!["main.cf".to_owned()];
    assert!(compile(&all, 1, String::new()).is_ok());
}

#[test]
fn an_exception_uncovers_the_next_wider_connector() {
    let mut hole = outbound("hole", &["*.x.example"], "secure domain");
    hole.except = PatternSet::new(patterns(&["lists.x.example"]));
    let wide = outbound("wide", &["*"], "encrypt");
    let snapshot = snapshot(vec![wide.clone(), hole.clone()]);
    assert_eq!(reply(&snapshot, "lists.x.example"), "OK encrypt");
    assert_eq!(reply(&snapshot, "x.example"), "OK secure match=nexthop:dot-nexthop");
    // What is seen through the hole counts for what lies below it too.
    let mut below = outbound("below", &[".lists.x.example"], "encrypt");
    assert!(!conflicts(vec![wide.clone(), hole.clone(), below.clone()]).is_empty());
    hole.except = PatternSet::new(patterns(&["*.lists.x.example"]));
    assert_eq!(conflicts(vec![wide.clone(), hole.clone(), below.clone()]), []);
    below.requirement = requirement("may");
    let found = conflicts(vec![wide, hole, below]);
    assert!(found.first().unwrap().message.contains("the wider `wide` (encrypt)"), "{found:?}");
}

#[test]
fn overrides_excuses_the_connectors_it_names_and_no_others() {
    let everyone = outbound("everyone", &["*"], "encrypt");
    let partner = outbound("partner", &["*.x.example"], "secure a.example");
    let mut legacy = outbound("legacy", &["legacy.x.example"], "may");
    legacy.route = smart_hosts(&["[a.x.example]"]);
    let found = |overrides: &[&str], level| {
        let mut legacy = legacy.clone();
        legacy.overrides = overrides.iter().map(|name| (*name).to_owned()).collect();
        let mut all = agreements(vec![everyone.clone(), partner.clone(), legacy], Vec::new());
        all.mta.level = level;
        let found = compile(&all, 1, String::new()).err().unwrap_or_default();
        found.into_iter().map(|conflict| conflict.help).collect::<Vec<_>>()
    };
    use crate::model::Level::{Encrypt, May};
    let help =
        |name: &str| format!("make it as strong, or say that it may be weaker: overrides = [\"{name}\"]");
    assert_eq!(found(&["partner"], May), [help("everyone")]);
    assert!(found(&["partner", "everyone"], May).is_empty());
    assert_eq!(found(&["partner", "everyone"], Encrypt), [help("main.cf")]);
    assert!(found(&["partner", "everyone", "main.cf"], Encrypt).is_empty());
}

#[test]
fn a_joined_reply_has_the_same_limit() {
    let named = |name: &str, domain: &str, own: &str, other: &str| {
        let names: Vec<String> =
            (0..2500).map(|n| format!("host-{n:06}.{own}")).chain([format!("*.{other}")]).collect();
        let mut connector = outbound(name, &[domain], &format!("secure {}", names.join(" ")));
        connector.route = smart_hosts(&["[gw.example.net]"]);
        connector
    };
    let found = conflicts(vec![
        named("a", "a.example", "a.example", "b.example"),
        named("b", "b.example", "b.example", "a.example"),
    ]);
    let messages: Vec<&str> = found.iter().map(|conflict| conflict.message.as_str()).collect();
    assert!(
        matches!(messages.as_slice(), [one] if one.contains("the reply for gw.example.net would have")),
        "{messages:?}"
    );
}

#[test]
fn every_part_of_a_requirement_is_rendered() {
    use crate::model::requirement::{CipherGrade, Parts, Requirement, ServerName, TlsVersion};
    let full = Parts {
        names: Some(crate::model::names::Names::Set(PatternSet::new(patterns(&[
            "*.x.example",
            "x.example",
            ".y.example",
        ])))),
        min_version: Some(TlsVersion::Tls12),
        ciphers: Some(CipherGrade::High),
        servername: Some(ServerName::HostName),
        ..Parts::of_level(crate::model::Level::Secure)
    };
    let mut connector = outbound("full", &["x.example"], "encrypt");
    connector.requirement = Requirement::new(full).unwrap();
    let mut all = agreements(vec![connector], Vec::new());
    all.mta.postfix = PostfixVersion::parse("3.10").unwrap();
    let snapshot = compile(&all, 1, String::new()).unwrap();
    assert_eq!(
        reply(&snapshot, "x.example"),
        "OK secure match=x.example:.x.example:.y.example servername=hostname protocols=>=TLSv1.2 ciphers=high"
    );
}
