//! Settings that have one right value.

use super::kinds::{
    AUTHORITIES, CONNECTION_CACHE, FALLBACK_RELAY, FINGERPRINT_DIGEST, LEVEL, SESSION_CACHE, TLS_REQUIRED,
};
use super::{Patient, Place, Set};
use crate::model::anchors::Anchors;
use crate::model::{Level, Outbound};
use crate::mta::finding::{Finding, Kind};

/// The client that delivers.
const CLIENT: &[&str] = &["smtp"];

/// A setting with a right value for some connectors.
struct Rule {
    kind: &'static Kind,
    name: &'static str,
    /// The daemons that obey it.
    programs: &'static [&'static str],
    right: &'static str,
    about: fn(&Outbound) -> bool,
    /// What happens otherwise.
    message: &'static str,
}

fn all(_: &Outbound) -> bool {
    true
}

/// Whether anything of the partner's certificate counts.
fn judges(connector: &Outbound) -> bool {
    let level = connector.requirement.level();
    level.judges_chain() || level == Level::Fingerprint
}

fn is_pinned(connector: &Outbound) -> bool {
    connector.requirement.level() == Level::Fingerprint
}

const RULES: [Rule; 6] = [
    Rule {
        kind: &TLS_REQUIRED,
        name: "tls_required_enable",
        programs: CLIENT,
        right: "no",
        about: all,
        message: "a message with the header `TLS-Required: no` goes round the connectors, in plaintext if need be",
    },
    Rule {
        kind: &FALLBACK_RELAY,
        name: "smtp_fallback_relay",
        programs: CLIENT,
        right: "",
        about: all,
        message: "mail that a connector stops is sent to this relay instead",
    },
    Rule {
        kind: &SESSION_CACHE,
        name: "smtp_tls_session_cache_database",
        programs: &["smtp", "tlsmgr"],
        right: "",
        about: judges,
        message: "on resumed TLS sessions no certificate is judged, so that a tightened connector is not in force at once",
    },
    Rule {
        kind: &CONNECTION_CACHE,
        name: "smtp_connection_cache_on_demand",
        programs: CLIENT,
        right: "no",
        about: all,
        message: "connections are kept open, and for mail over them nothing is asked",
    },
    Rule {
        kind: &CONNECTION_CACHE,
        name: "smtp_connection_cache_destinations",
        programs: CLIENT,
        right: "",
        about: all,
        message: "connections are kept open, and for mail over them nothing is asked",
    },
    Rule {
        kind: &FINGERPRINT_DIGEST,
        name: "smtp_tls_fingerprint_digest",
        programs: CLIENT,
        right: "sha256",
        about: is_pinned,
        message: "the digests of the connectors are SHA-256, and none is ever equal to one of another algorithm",
    },
];

pub(super) fn rules(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &RULES {
        // A version that does not have the setting does not have the fault.
        if !patient.settings.has(rule.name) {
            continue;
        }
        for (place, value) in patient.wrong(rule.programs, rule.name, |value| value == rule.right) {
            let mend = patient.mend(place, rule.name, rule.right);
            let message = rule.message.to_owned();
            findings.extend(patient.outbound(
                rule.kind,
                rule.about,
                message,
                Set { place, name: rule.name, value },
                mend,
            ));
        }
    }
    findings.extend(level(patient));
    findings.extend(authorities(patient));
    findings
}

/// Postfix has both settings for old times: an empty level leaves the word to smtp_use_tls and smtp_enforce_tls,
/// of which the defaults are `no`, and `none` is not a level that `[mta]` has.
fn level(patient: &Patient<'_>) -> Vec<Finding> {
    const NAME: &str = "smtp_tls_security_level";
    let told = patient.agreements.mta.level;
    let is_right = |value: &str| Level::from_word(value) == Some(told);
    let wrong = patient.wrong(CLIENT, NAME, is_right);
    let found = wrong.into_iter().filter_map(|(place, value)| {
        let message =
            format!("[mta] level says `{}`, and the connectors were checked with that", told.word());
        let mend = patient.mend(place, NAME, told.word());
        patient.outbound(&LEVEL, all, message, Set { place, name: NAME, value }, mend)
    });
    found.collect()
}

fn authorities(patient: &Patient<'_>) -> Vec<Finding> {
    const NAMES: [&str; 2] = ["smtp_tls_CAfile", "smtp_tls_CApath"];
    const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";
    let [file, path] = NAMES;
    let needs = |connector: &Outbound| matches!(connector.requirement.anchors(), Anchors::System);
    let settings = patient.settings;
    let without = settings
        .running("smtp")
        .filter(|service| NAMES.iter().all(|name| settings.of(service, name).is_empty()));
    let mut places: Vec<Place<'_>> = Vec::new();
    for service in without {
        // If it has an empty one for itself, taking that away is what mends it.
        match NAMES.iter().any(|name| service.own(name).is_some()) {
            true => places.push(Place::Service(service)),
            false if places.iter().any(|place| matches!(place, Place::Main)) => {}
            false => places.push(Place::Main),
        }
    }
    let found = places.into_iter().filter_map(|place| {
        let message =
            format!("no authority is trusted, and {path} is empty too: all mail that needs one waits");
        let mend = match place {
            Place::Main => vec![patient.set(file, SYSTEM), patient.reload()],
            Place::Service(service) => {
                let own = NAMES.iter().filter(|name| service.own(name).is_some());
                own.map(|name| patient.unset(service, name)).chain([patient.reload()]).collect()
            }
        };
        patient.outbound(&AUTHORITIES, needs, message, Set { place, name: file, value: "" }, mend)
    });
    found.collect()
}
