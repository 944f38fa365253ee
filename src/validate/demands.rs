//! What is demanded at each smart host of a connector, once it is in force: the join with every
//! connector that uses the host already. Postfix asks for the host and not for the partner.

use std::collections::BTreeMap;

use crate::model::requirement::{Requirement, Unjoinable, join};
use crate::model::{Mode, Outbound};
use crate::snapshot::Snapshot;

/// What is demanded, or why it cannot be, by the host's name without brackets and port.
pub type Demands = BTreeMap<String, Result<Requirement, Unjoinable>>;

/// The demands at the smart hosts of a connector, where they are not its own alone; none by MX.
pub fn demands(connector: &Outbound, snapshot: &Snapshot) -> Demands {
    let mut demands = Demands::new();
    for hop in connector.route.smart_hosts() {
        if let Some(answer) = snapshot.enforced().hosts().find(hop.host(), hop.is_bare()) {
            let joint = match connector.mode {
                Mode::Enforce => Ok(answer.requirement.clone()),
                Mode::Report | Mode::Off => {
                    join(&[connector.requirement.clone(), answer.requirement.clone()])
                }
            };
            if joint.as_ref() != Ok(&connector.requirement) {
                demands.insert(hop.host().to_string(), joint);
            }
        }
    }
    demands
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::sample::{agreements, outbound, smart_hosts};
    use crate::snapshot::compile;

    #[test]
    fn a_connector_is_tested_with_what_it_would_share() {
        let through = |name: &str, mode, demand: &str| Outbound {
            mode,
            route: smart_hosts(&["[relay.example]:587"]),
            ..outbound(name, &[&format!("{name}.example")], demand)
        };
        let strict = through("strict", Mode::Enforce, "secure mx.relay.example");
        let other = through("other", Mode::Report, "secure mx.other.example");
        for (mode, demand, expected) in [
            (Mode::Off, "encrypt", Ok("secure, mx.relay.example")),
            (Mode::Report, "verify", Ok("secure, mx.relay.example")),
            (Mode::Enforce, "encrypt", Ok("secure, mx.relay.example")),
            (Mode::Off, "secure mx.third.example", Err(Unjoinable::Names)),
        ] {
            let own = through("own", mode, demand);
            let all = vec![strict.clone(), other.clone(), own.clone()];
            let snapshot = compile(&agreements(all, Vec::new()), 1, String::new()).unwrap();
            let found = demands(&own, &snapshot).remove("relay.example").unwrap();
            assert_eq!(
                found.map(|joint| joint.to_string()),
                expected.map(str::to_owned),
                "{mode:?} {demand}"
            );
        }
        let alone = through("alone", Mode::Enforce, "encrypt");
        let snapshot = compile(&agreements(vec![alone.clone()], Vec::new()), 1, String::new()).unwrap();
        assert!(demands(&alone, &snapshot).is_empty(), "the same in every mode");
        let by_mx = outbound("mx", &["mx.example"], "encrypt");
        let snapshot = compile(&agreements(vec![strict], Vec::new()), 1, String::new()).unwrap();
        assert!(demands(&by_mx, &snapshot).is_empty());
    }
}
