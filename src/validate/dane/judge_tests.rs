//! Records of every kind over chains of every kind; what is expected was checked with OpenSSL's own
//! DANE functions (`openssl s_client -dane_tlsa_rrdata`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use openssl::sha::{sha256, sha512};
use rcgen::ExtendedKeyUsagePurpose;

use super::chains::{Authority, authority, now, params, record};
use super::{Judgement, Record, judge};

/// In few words: the record that matches, or why none does.
fn judged(records: &[Record], chain: &[&[u8]], names: &[&str]) -> String {
    let chain: Vec<Vec<u8>> = chain.iter().map(|der| der.to_vec()).collect();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    match judge(records, &chain, &names, now()) {
        Judgement::Match(Record { usage, selector, matching, .. }) => {
            format!("{usage} {selector} {matching}")
        }
        Judgement::Mismatch(why) => format!("{why:?}").split('(').next().unwrap().to_owned(),
        Judgement::Unusable(useless) => {
            useless.iter().map(|(_, why)| format!("{why:?}")).collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn a_leaf_is_compared_by_every_selector_and_matching_type() {
    let authority = authority();
    let mut expired = params("leaf", &["other.example"]);
    expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let (leaf, key) = authority.leaf(expired);
    for (selector, data) in [(0, &leaf), (1, &key)] {
        for matching in 0..=2 {
            let records = [record(3, selector, matching, data)];
            let expected = format!("3 {selector} {matching}");
            // Neither names nor dates nor the chain matter.
            assert_eq!(judged(&records, &[&leaf], &["mx.example"]), expected);
            let others = [record(3, selector, matching, &authority.root)];
            if matching != 0 || selector == 0 {
                assert_eq!(judged(&others, &[&leaf], &["other.example"]), "NotVouchedFor", "{expected}");
            }
        }
    }
}

#[test]
fn a_chain_leads_to_the_authority_of_the_record() {
    let authority = authority();
    let Authority { root, intermediate, key, root_key, .. } = &authority;
    let (leaf, leaf_key) = authority.leaf(params("leaf", &["mx.example", "*.wild.example"]));
    let (leaf, leaf_key) = (&leaf[..], &leaf_key[..]);
    let stranger = super::chains::authority();
    let mx: &[&str] = &["mx.example"];
    type Row<'a> = (&'a str, Record, Vec<&'a [u8]>, &'a [&'a str], &'a str);
    let whole: Vec<&[u8]> = vec![leaf, intermediate, root];
    let short: Vec<&[u8]> = vec![leaf, intermediate];
    let table: Vec<Row<'_>> = vec![
        ("root by digest", record(2, 0, 1, root), whole.clone(), mx, "2 0 1"),
        ("root by long digest", record(2, 0, 2, root), whole.clone(), mx, "2 0 2"),
        ("root's key by digest", record(2, 1, 1, root_key), whole.clone(), mx, "2 1 1"),
        ("intermediate, with root", record(2, 0, 1, intermediate), whole.clone(), mx, "2 0 1"),
        ("intermediate, without root", record(2, 1, 2, key), short.clone(), mx, "2 1 2"),
        ("out of order", record(2, 0, 1, root), vec![leaf, root, intermediate], mx, "2 0 1"),
        ("root not sent, by digest", record(2, 0, 1, root), short.clone(), mx, "NotVouchedFor"),
        ("root not sent, whole in the record", record(2, 0, 0, root), short.clone(), mx, "2 0 0"),
        ("nothing sent, intermediate in the record", record(2, 0, 0, intermediate), vec![leaf], mx, "2 0 0"),
        ("intermediate missing", record(2, 0, 0, root), vec![leaf], mx, "Chain"),
        ("intermediate missing, root sent", record(2, 0, 1, root), vec![leaf, root], mx, "Chain"),
        ("key of the missing root", record(2, 1, 0, root_key), short.clone(), mx, "2 1 0"),
        ("key of the missing intermediate", record(2, 1, 0, key), vec![leaf], mx, "2 1 0"),
        ("key of nobody", record(2, 1, 0, &stranger.key), whole.clone(), mx, "NotVouchedFor"),
        (
            "another root sent along",
            record(2, 0, 1, &stranger.root),
            vec![leaf, intermediate, &stranger.root],
            mx,
            "Chain",
        ),
        (
            "another root of the same name goes before a key",
            record(2, 1, 0, root_key),
            vec![leaf, &stranger.root, intermediate],
            mx,
            "NotVouchedFor",
        ),
        (
            "and before the right one",
            record(2, 0, 1, root),
            vec![leaf, &stranger.root, intermediate, root],
            mx,
            "Chain",
        ),
        (
            "but not before one in the record",
            record(2, 0, 0, root),
            vec![leaf, &stranger.root, intermediate],
            mx,
            "2 0 0",
        ),
        ("the leaf is no authority", record(2, 0, 1, leaf), whole.clone(), mx, "NotVouchedFor"),
        (
            "nor when it is sent twice",
            record(2, 0, 1, leaf),
            vec![leaf, leaf, intermediate],
            mx,
            "NotVouchedFor",
        ),
        ("nor whole in the record", record(2, 0, 0, leaf), vec![leaf], mx, "NotVouchedFor"),
        ("nor by its key", record(2, 1, 1, leaf_key), whole.clone(), mx, "NotVouchedFor"),
        ("another name", record(2, 0, 1, root), whole.clone(), &["mx2.example"], "Name"),
        ("one of several names", record(2, 0, 1, root), whole.clone(), &["x.example", "mx.example"], "2 0 1"),
        ("a wildcard", record(2, 0, 1, root), whole.clone(), &["a.wild.example"], "2 0 1"),
        ("a wildcard of one label", record(2, 0, 1, root), whole.clone(), &["a.b.wild.example"], "Name"),
        ("no name at all", record(2, 0, 1, root), whole.clone(), &[], "Name"),
        ("no certificate", record(2, 0, 1, root), vec![], mx, "NoCertificate"),
        ("no certificate, leaf wanted", record(3, 0, 1, leaf), vec![], mx, "NoCertificate"),
        ("rubbish", record(2, 0, 1, root), vec![b"x", root], mx, "Unreadable"),
    ];
    for (name, record, chain, names, expected) in table {
        assert_eq!(judged(&[record], &chain, names), expected, "{name}");
    }
}

#[test]
fn below_an_authority_dates_and_purposes_matter() {
    let authority = authority();
    let dated = |from: i32, until: i32| {
        let mut params = params("leaf", &["mx.example"]);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params
    };
    let mut for_clients = dated(2020, 2030);
    for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let table = [
        ("valid", dated(2020, 2030), "2 0 1"),
        ("expired", dated(2020, 2021), "Chain"),
        ("not yet valid", dated(2028, 2030), "Chain"),
        ("for clients only", for_clients, "Chain"),
    ];
    for (name, params, expected) in table {
        let (leaf, _) = authority.leaf(params);
        let chain: [&[u8]; 2] = [&leaf, &authority.intermediate];
        let records = [record(2, 0, 1, &authority.intermediate)];
        assert_eq!(judged(&records, &chain, &["mx.example"]), expected, "{name}");
        // As an issuer's bare key too.
        let records = [record(2, 1, 0, &authority.key)];
        let expected = expected.replace("2 0 1", "2 1 0");
        assert_eq!(judged(&records, &chain[..1], &["mx.example"]), expected, "{name}");
    }
}

#[test]
fn what_is_unusable_neither_helps_nor_harms() {
    let authority = authority();
    let (leaf, key) = authority.leaf(params("leaf", &["mx.example"]));
    let with =
        |usage, selector, matching, data: &[u8]| Record { usage, selector, matching, data: data.to_vec() };
    let (digest, long) = (sha256(&leaf), sha512(&leaf));
    let mut trailing = leaf.clone();
    trailing.push(0);
    let mut key_trailing = key.clone();
    key_trailing.push(0);
    let table = [
        ("PKIX-TA", with(0, 0, 1, &digest), "Usage"),
        ("PKIX-EE", with(1, 0, 1, &digest), "Usage"),
        ("unassigned usage", with(4, 0, 1, &digest), "Usage"),
        ("private usage", with(255, 0, 1, &digest), "Usage"),
        ("selector", with(3, 2, 1, &digest), "Selector"),
        ("matching type", with(3, 0, 3, &digest), "Matching"),
        ("Postfix's own matching type", with(3, 0, 255, &digest), "Matching"),
        ("cut digest", with(3, 0, 1, &digest[..31]), "Length"),
        ("digest of the other kind", with(3, 0, 1, &long), "Length"),
        ("the other way round", with(3, 0, 2, &digest), "Length"),
        ("no data", with(3, 0, 0, &[]), "Length"),
        ("no digest", with(3, 0, 1, &[]), "Length"),
        ("no certificate", with(3, 0, 0, b"x"), "Data"),
        ("a certificate and more", with(3, 0, 0, &trailing), "Data"),
        ("no key", with(3, 1, 0, &leaf), "Data"),
        ("a key and more", with(3, 1, 0, &key_trailing), "Data"),
    ];
    for (name, record, expected) in table {
        assert_eq!(judged(std::slice::from_ref(&record), &[&leaf], &["mx.example"]), expected, "{name}");
        let good = super::chains::record(3, 1, 1, &key);
        assert_eq!(judged(&[record.clone(), good.clone()], &[&leaf], &[]), "3 1 1", "{name}");
        assert_eq!(judged(&[good, record], &[&leaf], &[]), "3 1 1", "{name}");
    }
}

#[test]
fn a_weaker_digest_does_not_help_beside_a_stronger_one() {
    let authority = authority();
    let (leaf, key) = authority.leaf(params("leaf", &["mx.example"]));
    let wrong = b"another";
    let cut = Record { data: vec![0; 63], ..record(3, 1, 2, &key) };
    let table = [
        ("both right", vec![record(3, 1, 1, &key), record(3, 1, 2, &key)], "3 1 2"),
        ("stronger wrong", vec![record(3, 1, 1, &key), record(3, 1, 2, wrong)], "NotVouchedFor"),
        ("weaker wrong", vec![record(3, 1, 1, wrong), record(3, 1, 2, &key)], "3 1 2"),
        ("of another selector", vec![record(3, 1, 1, &key), record(3, 0, 2, wrong)], "3 1 1"),
        ("of another usage", vec![record(3, 1, 1, &key), record(2, 1, 2, wrong)], "3 1 1"),
        ("the whole key", vec![record(3, 1, 0, &key), record(3, 1, 2, wrong)], "3 1 0"),
        ("stronger unusable", vec![record(3, 1, 1, &key), cut], "3 1 1"),
        ("several", vec![record(3, 1, 1, wrong), record(3, 1, 1, &key)], "3 1 1"),
    ];
    for (name, records, expected) in table {
        assert_eq!(judged(&records, &[&leaf], &[]), expected, "{name}");
    }
}
