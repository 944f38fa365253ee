//! Settings that mail which leaves depends on, and that have a right value.

use super::kinds::{
    AUTHORITIES, CONNECTION_CACHE, DANE_IGNORED, DANE_WAITS, FALLBACK_RELAY, FINGERPRINT_DIGEST, HOST_NAME,
    LEVEL, OTHER_WAY, SESSION_CACHE, TLS_REQUIRED, TLSPROXY_MISSING,
};
use super::ways::{Ways, hops};
use super::{Patient, Place, Rule, Set, finding, is};
use crate::model::anchors::Anchors;
use crate::model::names::Names;
use crate::model::{Level, Outbound};
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::tables;

fn all(_: &Outbound) -> bool {
    true
}

/// What TLSA records are asked for with: names are looked up in the DNS (smtp_params.c, `smtp_host_lookup`).
fn has_dns(value: &str) -> bool {
    tables(value).iter().any(|word| is(word, "dns"))
}

/// The digests that TLSA records have (RFC 6698 section 2.1.3); what is not in the list is taken for none
/// (tls_dane.c:tls_dane_digest_init).
fn has_digests(value: &str) -> bool {
    let words = tables(value);
    ["sha256", "sha512"]
        .iter()
        .all(|digest| words.iter().any(|word| is(word.split('=').next().unwrap_or(word), digest)))
}

fn at_dane(connector: &Outbound) -> bool {
    connector.requirement.level() == Level::Dane
}

fn at_dane_only(connector: &Outbound) -> bool {
    connector.requirement.level() == Level::DaneOnly
}

const NO_RECORDS: &str = "no TLSA records are asked for: `dane` is no more than `may`";

const NOTHING_WITHOUT_RECORDS: &str = "no TLSA records are asked for, and all mail at `dane-only` waits";

const RULES: [Rule<Outbound>; 13] = [
    Rule {
        kind: &TLS_REQUIRED,
        name: "tls_required_enable",
        is_right: |value| is(value, "no"),
        right: "no",
        about: all,
        message: "a message with the header `TLS-Required: no` goes round the connectors, in plaintext if need be",
    },
    Rule {
        kind: &CONNECTION_CACHE,
        name: "smtp_connection_cache_on_demand",
        is_right: |value| is(value, "no"),
        right: "no",
        about: all,
        message: "mail goes over connections that are open already, which a tightened connector does not reach",
    },
    Rule {
        kind: &CONNECTION_CACHE,
        name: "smtp_connection_cache_destinations",
        is_right: str::is_empty,
        right: "",
        about: all,
        message: "mail goes over connections that are open already, which a tightened connector does not reach",
    },
    Rule {
        kind: &FINGERPRINT_DIGEST,
        name: "smtp_tls_fingerprint_digest",
        is_right: |value| is(value, "sha256"),
        right: "sha256",
        about: |connector| connector.requirement.level() == Level::Fingerprint,
        message: "the digests of the connectors are SHA-256, and none is ever equal to one of another algorithm",
    },
    // smtp_tls_policy.c:dane_init
    Rule {
        kind: &DANE_IGNORED,
        name: "smtp_dns_support_level",
        is_right: |value| is(value, "dnssec"),
        right: "dnssec",
        about: at_dane,
        message: NO_RECORDS,
    },
    Rule {
        kind: &DANE_IGNORED,
        name: "smtp_host_lookup",
        is_right: has_dns,
        // What only /etc/hosts knows is found as before.
        right: "dns, native",
        about: at_dane,
        message: NO_RECORDS,
    },
    Rule {
        kind: &DANE_IGNORED,
        name: "ignore_mx_lookup_error",
        is_right: |value| is(value, "no"),
        right: "no",
        about: at_dane,
        message: NO_RECORDS,
    },
    Rule {
        kind: &DANE_IGNORED,
        name: "tls_dane_digests",
        is_right: has_digests,
        right: "sha512 sha256",
        about: at_dane,
        message: "TLSA records with SHA-256 or SHA-512 are not obeyed: with no others, any certificate will do",
    },
    Rule {
        kind: &DANE_IGNORED,
        name: "smtp_tls_dane_insecure_mx_policy",
        is_right: |value| is(value, "dane"),
        right: "dane",
        about: at_dane,
        message: "where the MX record is not signed, the TLSA records of its host are not obeyed",
    },
    Rule {
        kind: &DANE_WAITS,
        name: "smtp_dns_support_level",
        is_right: |value| is(value, "dnssec"),
        right: "dnssec",
        about: at_dane_only,
        message: NOTHING_WITHOUT_RECORDS,
    },
    Rule {
        kind: &DANE_WAITS,
        name: "smtp_host_lookup",
        is_right: has_dns,
        right: "dns, native",
        about: at_dane_only,
        message: NOTHING_WITHOUT_RECORDS,
    },
    Rule {
        kind: &DANE_WAITS,
        name: "ignore_mx_lookup_error",
        is_right: |value| is(value, "no"),
        right: "no",
        about: at_dane_only,
        message: NOTHING_WITHOUT_RECORDS,
    },
    // smtp_tls_policy.c:set_cert_match, where a policy has no `match`, as has no other level of connectors.
    Rule {
        kind: &HOST_NAME,
        name: "smtp_tls_verify_cert_match",
        // A name of the next hop is no less sure than that of its host.
        is_right: |value| tables(value).iter().all(|word| VERIFIED.iter().any(|right| is(word, right))),
        right: "hostname",
        about: |connector| {
            connector.requirement.level() == Level::Verify && *connector.requirement.names() == Names::MxHost
        },
        message: "another name than that of the host will do for connectors that have no `match`",
    },
];

/// What counts for `verify` without `match`, in words of Postfix.
const VERIFIED: [&str; 3] = ["hostname", "nexthop", "dot-nexthop"];

pub(super) fn rules(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| patient.by_rule(ways, rule)).collect();
    findings.extend(fallback_relay(patient, ways));
    findings.extend(best_mx(patient, ways));
    findings.extend(tls_proxy(patient, ways));
    findings.extend(level(patient, ways));
    findings.extend(sessions(patient));
    findings.extend(authorities(patient, ways));
    findings
}

/// Mail of a connector may go to a relay that the connector knows, and to any if it is about `*`.
fn fallback_relay(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    const NAME: &str = "smtp_fallback_relay";
    let wrong = patient.wrong(ways, NAME, |_, value| value.is_empty());
    let found = wrong.iter().filter_map(|wrong| {
        let is_sent_round = |number, connector: &Outbound| {
            let mut relays = hops(wrong.set.value);
            !connector.domains.has_any() && relays.any(|relay| !patient.knows_host(number, relay))
        };
        let mend = patient.mend(wrong.set.place, NAME, str::is_empty, "");
        let message = "mail that a connector stops is sent to this relay instead; what mends it takes the relay from all mail: \
                       what can leave only by it needs a connector with that smart host first";
        patient.leaving(ways, &FALLBACK_RELAY, is_sent_round, message, wrong, mend)
    });
    found.collect()
}

/// Mail that an MX record sends back to this host (smtp_addr.c, smtp_connect.c:smtp_connect_inet), where that leaves by
/// smtp(8) for another one.
fn best_mx(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    const NAME: &str = "best_mx_transport";
    let stays = |value: &str| {
        let (service, next) = value.split_once(':').unwrap_or((value, ""));
        let is_here = !next.is_empty() && hops(next).all(|hop| patient.is_here(hop));
        patient.program_of(service) != "smtp" || is_here
    };
    let wrong = patient.wrong(ways, NAME, |_, value| stays(value));
    let found = wrong.iter().filter_map(|wrong| {
        let mend = patient.mend(wrong.set.place, NAME, str::is_empty, "");
        let message = "mail for a domain whose MX record names this host goes there, and the connector is not asked; what mends \
                       it has such mail returned as looping";
        patient.leaving(ways, &OTHER_WAY, |_, _| true, message, wrong, mend)
    });
    found.collect()
}

/// TLS that goes through a service which is not there (smtp_proto.c:smtp_start_tls). Where `may` is enough, mail leaves in
/// plaintext in the end.
fn tls_proxy(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    const NAME: &str = "smtp_tls_connection_reuse";
    let is_right = |value: &str| is(value, "no");
    if patient.settings.running("tlsproxy").next().is_some() || !patient.settings.has(NAME) {
        return Vec::new();
    }
    let wrong = patient.wrong(ways, NAME, |_, value| is_right(value));
    let found = wrong.iter().filter_map(|wrong| {
        let mend = patient.mend(wrong.set.place, NAME, is_right, "no");
        let message =
            "all TLS goes through tlsproxy(8), which master.cf does not have, and mail that needs TLS waits";
        patient.leaving(ways, &TLSPROXY_MISSING, |_, _| true, message, wrong, mend)
    });
    found.collect()
}

/// Weaker than what the connectors were compared with. (An empty level leaves the word to settings from old times, of
/// which the defaults are no TLS, and `none` is not a level that `[mta]` has.)
fn level(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    const NAME: &str = "smtp_tls_security_level";
    let told = patient.agreements.mta.level;
    let is_right =
        |value: &str| Level::from_word(&value.to_ascii_lowercase()).is_some_and(|level| level >= told);
    let wrong = patient.wrong(ways, NAME, |_, value| is_right(value));
    let found = wrong.iter().filter_map(|wrong| {
        let message =
            format!("[mta] level says `{}`, and the connectors were checked with that", told.word());
        let mend = patient.mend(wrong.set.place, NAME, is_right, told.word());
        patient.leaving(ways, &LEVEL, |_, _| true, &message, wrong, mend)
    });
    found.collect()
}

/// The cache is tlsmgr(8)'s, for all services: what smtp(8) has for itself counts for nothing. At `fingerprint` the
/// digests are in its key (tls_client.c:tls_client_start).
fn sessions(patient: &Patient<'_>) -> Vec<Finding> {
    const NAME: &str = "smtp_tls_session_cache_database";
    let settings = patient.settings;
    let found = settings.running("tlsmgr").filter_map(|service| {
        let value = settings.of(service, NAME);
        if value.is_empty() {
            return None;
        }
        let place = patient.place(service, NAME);
        let judged = patient.outbound_connectors().filter(|connector| connector.requirement.level().judges_chain());
        finding(
            &SESSION_CACHE,
            judged.map(|connector| connector.name.as_str()),
            "on resumed TLS sessions no certificate is judged, so that a tightened connector is not in force at once",
            Set { place, name: NAME, value },
            patient.mend(place, NAME, str::is_empty, ""),
        )
    });
    found.collect()
}

fn authorities(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    const FILE: &str = "smtp_tls_CAfile";
    const PATH: &str = "smtp_tls_CApath";
    let settings = patient.settings;
    let needs = |connector: &Outbound| matches!(connector.requirement.anchors(), Anchors::System);
    let wrong =
        patient.wrong(ways, FILE, |service, file| !file.is_empty() || !settings.of(service, PATH).is_empty());
    let found = wrong.iter().filter_map(|wrong| {
        let message =
            "no authority is trusted, and smtp_tls_CApath is empty too: all mail that needs one waits";
        // A file that is not there would leave smtp(8) without any TLS.
        let mend = match (wrong.set.place, patient.authorities) {
            (Place::Main, Some(file)) => {
                vec![patient.set(FILE, &file.display().to_string()), patient.reload()]
            }
            _ => Vec::new(),
        };
        patient.leaving(ways, &AUTHORITIES, |_, connector| needs(connector), message, wrong, mend)
    });
    found.collect()
}
