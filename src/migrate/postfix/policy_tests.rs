//! Policies as the keys of a connector, and why some are none.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::migrate::Names as Written;

/// The keys of a connector for `contoso.com`, or why there is none.
fn keys(policy: &str, main_cf: &MainCf) -> String {
    let domain = Domain::parse("contoso.com").unwrap();
    let demand = match Demand::parse(policy, Some(&domain), main_cf) {
        Ok(demand) => demand,
        Err(why) => return format!("no: {why}"),
    };
    let terms = demand.terms(Vec::new());
    let mut keys = vec![terms.tls.word().to_owned()];
    match terms.names {
        Written::Unsaid => {}
        Written::Domain => keys.push("match=domain".to_owned()),
        Written::Of(names) => keys.push(format!("match={}", names.join(","))),
    }
    keys.extend(terms.ca_file.map(|path| format!("ca_file={path}")));
    keys.extend(terms.fingerprints.iter().map(|pin| pin.get(..12).unwrap().to_owned()));
    keys.extend([terms.protocols, terms.ciphers, terms.servername].into_iter().flatten());
    keys.join(" ")
}

#[test]
fn what_main_cf_says_counts_where_a_policy_says_nothing() {
    let digest = "AB:".repeat(32);
    let main_cf = MainCf {
        verify_match: "nexthop dot-nexthop".to_owned(),
        secure_match: "mail.contoso.com, .contoso.com".to_owned(),
        fingerprint_match: digest.trim_end_matches(':').to_owned(),
        queue_directory: Some("/var/spool/postfix".into()),
        is_chrooted: true,
        ..MainCf::default()
    };
    for (policy, expected) in [
        ("verify", "verify match=domain"),
        ("secure", "secure match=mail.contoso.com,.contoso.com"),
        ("secure match=nexthop:dot-nexthop", "secure match=domain"),
        ("fingerprint", "fingerprint sha256:AB:CD".get(..22).unwrap()),
        ("verify match=hostname tafile=/etc/ca.pem", "verify ca_file=/var/spool/postfix/etc/ca.pem"),
        ("verify match=hostname tafile=ca.pem", "verify ca_file=/var/spool/postfix/ca.pem"),
    ] {
        assert!(keys(policy, &main_cf).starts_with(expected), "{policy}: {}", keys(policy, &main_cf));
    }
    let outside = MainCf { is_chrooted: false, ..main_cf.clone() };
    assert_eq!(keys("verify match=hostname tafile=/etc/ca.pem", &outside), "verify ca_file=/etc/ca.pem");
    let unknown = MainCf { queue_directory: None, ..outside };
    assert_eq!(keys("verify match=hostname tafile=/etc/ca.pem", &unknown), "verify ca_file=/etc/ca.pem");
    assert!(keys("verify match=hostname tafile=ca.pem", &unknown).contains("queue_directory"));
    let md5 = MainCf { digest: "md5".to_owned(), ..main_cf };
    assert!(keys("fingerprint", &md5).contains("`md5`"));
}

#[test]
fn protocols_are_an_oldest_version_or_nothing() {
    for (list, expected) in [
        (">=TLSv1", Some("TLSv1")),
        (">=TLSv1.3", Some("TLSv1.3")),
        ("!SSLv2:!SSLv3", Some("TLSv1")),
        ("!SSLv2:!SSLv3:!TLSv1:!TLSv1.1", Some("TLSv1.2")),
        ("!TLSv1", Some("TLSv1.1")),
        ("TLSv1.3", Some("TLSv1.3")),
        ("TLSv1.3:TLSv1.2", Some("TLSv1.2")),
        ("TLSv1.2", None),
        ("!TLSv1.3", None),
        ("!TLSv1.1", None),
        ("!TLSv1:!TLSv1.1:!TLSv1.2:!TLSv1.3", None),
        ("TLSv1.2:!TLSv1.3", None),
        ("SSLv3:TLSv1:TLSv1.1:TLSv1.2:TLSv1.3", None),
        (">=TLSv1.2:<=TLSv1.3", None),
        (">=0303", None),
        ("<=TLSv1.3", None),
        ("tlsv1.2", None),
        ("", None),
        (":", None),
    ] {
        assert_eq!(oldest(list).ok().map(TlsVersion::word), expected, "{list}");
    }
}

#[test]
fn names_beside_a_word_of_postfix() {
    let main_cf = MainCf::default();
    for (policy, expected) in [
        ("secure match=nexthop", "secure match=contoso.com"),
        ("secure match=dot-nexthop:nexthop", "secure match=domain"),
        ("secure match=nexthop:dot-nexthop:contoso.net", "secure match=*.contoso.com,contoso.net"),
        ("secure match=.contoso.net:contoso.net:contoso.net", "secure match=*.contoso.net"),
        ("verify match=hostname", "verify"),
        ("secure match=hostname", "no: "),
        ("verify match=hostname:hostname", "no: "),
        ("secure match=:", "no: no name to match"),
        ("secure match=*.contoso.com", "no: Postfix has no `*`"),
        ("secure match=com", "no: "),
    ] {
        assert!(keys(policy, &main_cf).starts_with(expected), "{policy}: {}", keys(policy, &main_cf));
    }
}
