//! Which of several connectors stand when some of them override others.

#![allow(clippy::unwrap_used)]

use super::Mail;
use super::inbound_tests::{action, decide, mail, require_names, require_tls, snapshot};
use crate::model::PatternSet;
use crate::model::inbound::{Require, TlsRequirement};
use crate::model::sample::{agreements, inbound as connector, patterns};
use crate::snapshot::compile;

#[test]
fn only_overrides_takes_a_wider_one_out() {
    let wide = || connector("wide", &["*"], require_names(&["x.example"]));
    let mut narrow = connector("narrow", &["*.partner.example"], require_tls());
    assert_ne!(action(&snapshot(vec![wide(), narrow.clone()]), &mail()), "DUNNO");
    narrow.overrides = vec!["wide".to_owned()];
    let both = snapshot(vec![wide(), narrow.clone()]);
    assert_eq!(action(&both, &mail()), "DUNNO");
    assert_eq!(
        action(&both, &Mail { sender: b"x@other.example", ..mail() }),
        "550 5.7.1 connector wide: no client certificate was presented"
    );
    // One that is out itself takes nothing out.
    let mut narrowest = connector(
        "narrowest",
        &["partner.example"],
        Require { tls: Some(TlsRequirement::Any), ..Require::default() },
    );
    narrowest.overrides = vec!["narrow".to_owned()];
    // `narrow` and `narrowest` may not share an entry.
    narrow.identify.domains = patterns(&[".example"]);
    let all = snapshot(vec![wide(), narrow, narrowest]);
    let (mail, mut standing) = (mail(), Vec::new());
    let decision = decide(&all, &mail);
    decision.applies.iter().for_each(|judged| standing.push(judged.connector.name.as_str()));
    assert_eq!(standing, ["wide", "narrowest"]);
    assert_eq!(decision.action(), "550 5.7.1 connector wide: no client certificate was presented");
}

#[test]
fn a_connector_for_some_recipients_takes_nothing_out() {
    let mut lists = connector("lists", &["partner.example"], require_tls());
    lists.recipients = Some(PatternSet::new(patterns(&["lists.our.example"])));
    lists.overrides = vec!["strict".to_owned()];
    let strict = connector("strict", &["*"], require_names(&["x.example"]));
    let found = compile(&agreements(Vec::new(), vec![strict, lists]), 1, String::new()).err().unwrap();
    let keys: Vec<(usize, &str)> = found.iter().map(|conflict| (conflict.connector, conflict.key)).collect();
    assert_eq!(keys, [(1, "overrides")]);
}
