//! The same connectors, asked by both MTAs: Exim is told at least what Postfix is, or to wait.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::exim::{self, Reply};
use super::properties::{NAMES, at_least, connectors, demanded, host_of, load};
use super::{Answered as _, tls, transport};
use crate::model::Outbound;
use crate::model::requirement::Requirement;
use crate::model::sample::{agreements, outbound, smart_hosts};
use crate::snapshot::{Snapshot, compile};

/// The next-hops that Postfix asks for on the way to a domain (transport(5)).
fn next_hops(snapshot: &Snapshot, domain: &str) -> Vec<String> {
    let way = transport(snapshot, format!("u@{domain}").as_bytes()).reply.payload();
    let hops = way.strip_prefix("OK ").and_then(|way| way.split_once(':')).map_or("", |(_, hops)| hops);
    if hops.is_empty() {
        return vec![domain.to_owned()];
    }
    hops.split(", ").map(str::to_owned).collect()
}

/// What Exim is told; `None` for its own routers, an error where it is told to wait.
fn told(snapshot: &Snapshot, domain: &str) -> Result<Option<Requirement>, ()> {
    let lookup = exim::out(snapshot, domain.as_bytes());
    match lookup.reply {
        Reply::Default => Ok(None),
        Reply::Temp(_) => Err(()),
        Reply::Policy(policy) if policy.gap.is_some() => Err(()),
        Reply::Policy(policy) => {
            let own = || lookup.applies.first().unwrap().connector.agreement.requirement.clone();
            Ok(Some(policy.joined.as_deref().cloned().unwrap_or_else(own)))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_global_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn exim_is_never_told_less_than_postfix(all in connectors()) {
        let Some(snapshot) = load(&all) else { return Err(TestCaseError::reject("contradictory")); };
        for domain in NAMES.into_iter().chain(["[192.0.2.1]", "h.q"]) {
            let Ok(exim) = told(&snapshot, domain) else { continue };
            for key in next_hops(&snapshot, domain) {
                let postfix = demanded(&snapshot, &key);
                prop_assert!(
                    at_least(exim.as_ref(), postfix.as_ref(), host_of(&key)),
                    "{domain} by {key}: Exim {exim:?}, Postfix {postfix:?}"
                );
            }
        }
    }
}

/// A recipient's domain, or an address, that is somebody's smart host.
#[test]
fn a_domain_that_is_a_smart_host_has_the_join_of_both() {
    let routed = |name: &str, domain: &str, demand: &str, hops: &[&str]| Outbound {
        route: smart_hosts(hops),
        ..outbound(name, &[domain], demand)
    };
    let snapshot = compile(
        &agreements(
            vec![
                outbound("all", &["*"], "encrypt"),
                routed("bank", "bank.example", "secure *.bank.example", &["[192.0.2.1]", "mx.bank.example"]),
                routed("relayed", "relay.example", "encrypt", &["[elsewhere.example]"]),
                routed("through", "through.example", "encrypt", &["relay.example"]),
            ],
            Vec::new(),
        ),
        1,
        String::new(),
    )
    .unwrap();
    let cert = "status=ok tls=cert end=ok";
    for (domain, expected, connectors) in [
        ("mx.bank.example", cert, vec!["bank", "all"]),
        ("[192.0.2.1]", cert, vec!["bank", "all"]),
        ("[192.0.2.2]", "status=ok tls=encrypt end=ok", vec!["all"]),
        // Its own way comes first.
        ("relay.example", "status=ok tls=encrypt hosts=elsewhere.example end=ok", vec!["relayed"]),
    ] {
        let lookup = exim::out(&snapshot, domain.as_bytes());
        assert_eq!(lookup.reply.payload(), expected, "{domain}");
        let names: Vec<&str> =
            lookup.applies.iter().map(|applied| applied.connector.agreement.name.as_str()).collect();
        assert_eq!(names, connectors, "{domain}");
        let postfix = tls(&snapshot, domain.as_bytes()).applies.len();
        assert!(domain == "relay.example" || postfix == connectors.len(), "{domain}");
    }
}
