//! The transports that the answer chooses among: whether each demands what its word stands for.

use super::certificates::is_asked;
use super::kinds::{
    ANCHORS, CERTIFICATE_QUESTION, CHAIN, CONNECTION_REUSE, DANE_INSTEAD, DANE_RECORDS, HOST_NAME,
    MINIMUM_VERSION, MULTI_DOMAIN, OTHER_HOST, RETRY, TLS_NOT_REQUIRED, TRANSPORT_MISSING,
};
use super::{Patient, routers};
use crate::model::Outbound;
use crate::mta::exim::settings::Driver;
use crate::mta::finding::{Finding, Kind};
use crate::snapshot::exim::Transport::{self, Cert, Dane, Encrypt, Host, May, Pin};

/// An option that has a right value in the transports for these words.
struct Rule {
    kind: &'static Kind,
    option: &'static str,
    words: &'static [Transport],
    is_right: fn(&Driver, Transport) -> bool,
    about: fn(&Outbound) -> bool,
    /// Whether it is in the file that all our transports read, and what it is there.
    shared: Option<&'static str>,
    /// What happens otherwise.
    message: &'static str,
}

const EACH: &[Transport] = &[May, Encrypt, Host, Cert, Pin, Dane];

const STRICT: &[Transport] = &[Encrypt, Host, Cert, Pin, Dane];

fn all(_: &Outbound) -> bool {
    true
}

const RULES: [Rule; 15] = [
    Rule {
        kind: &TLS_NOT_REQUIRED,
        option: "hosts_require_tls",
        words: STRICT,
        // In plaintext there is no certificate, so that who asks about one stops the mail.
        is_right: |transport, word| {
            transport.option("hosts_require_tls") == "*"
                || matches!(word, Host | Cert | Pin) && is_asked(transport)
                || word == Dane && insists_on_records(transport)
        },
        about: all,
        shared: None,
        message: "this is not `*`: without TLS the mail leaves in plaintext",
    },
    Rule {
        kind: &CHAIN,
        option: "tls_verify_hosts",
        words: &[Host, Cert],
        is_right: |transport, _| transport.option("tls_verify_hosts") == "*",
        about: all,
        shared: None,
        message: "this is not `*`: the mail leaves though the chain is not trusted",
    },
    Rule {
        kind: &DANE_INSTEAD,
        option: "hosts_try_dane",
        words: &[Host, Cert],
        is_right: |transport, _| !looks_for_records(transport),
        about: all,
        shared: None,
        message: "this or hosts_require_dane is not empty: TLSA records take the place of the authorities that were agreed",
    },
    Rule {
        kind: &HOST_NAME,
        option: "tls_verify_cert_hostnames",
        words: &[Host],
        is_right: |transport, _| transport.option("tls_verify_cert_hostnames") == "*",
        about: all,
        shared: None,
        message: "this is not `*`: a certificate for another host will do",
    },
    Rule {
        kind: &ANCHORS,
        option: "tls_verify_certificates",
        words: &[Host, Cert],
        is_right: |transport, _| {
            transport.option("tls_verify_certificates") == "${extract{ca}{$address_data}{$value}{system}}"
        },
        about: all,
        shared: None,
        message: "this does not take the authorities that the connector names, or else those of the system",
    },
    Rule {
        kind: &CERTIFICATE_QUESTION,
        option: "authenticated_sender",
        words: &[Host, Cert, Pin],
        // Not in event_action: Exim goes on when that expansion fails, or no event is raised.
        is_right: |transport, _| is_asked(transport),
        about: all,
        shared: None,
        message: "this does not ask about the certificate, and stop the mail unless the answer is exactly ok",
    },
    Rule {
        kind: &DANE_RECORDS,
        option: "authenticated_sender",
        words: &[Dane],
        is_right: |transport, _| {
            insists_on_records(transport) || transport.option("hosts_require_dane") == "*"
        },
        about: all,
        shared: None,
        message: "nothing here insists on usable TLSA records",
    },
    Rule {
        kind: &MINIMUM_VERSION,
        option: "tls_require_ciphers",
        words: &[Encrypt, Host, Cert, Pin, Dane],
        is_right: |transport, _| {
            transport.option("tls_require_ciphers").contains("${extract{min}{$address_data}}")
        },
        about: |connector| connector.requirement.min_version().is_some(),
        shared: None,
        message: "this does not take the minimum version that the connector names",
    },
    // tls-gnu.c:tls_client_start
    Rule {
        kind: &MINIMUM_VERSION,
        option: "dane_require_tls_ciphers",
        words: &[Encrypt, Host, Cert, Pin, Dane],
        is_right: |transport, _| {
            let value = transport.option("dane_require_tls_ciphers");
            value.is_empty()
                || value.contains("${extract{min}{$address_data}}")
                || !looks_for_records(transport)
        },
        about: |connector| connector.requirement.min_version().is_some(),
        shared: None,
        message: "with TLSA records this counts, and does not take the minimum version that the connector names",
    },
    Rule {
        kind: &OTHER_HOST,
        option: "hosts",
        words: EACH,
        is_right: |transport, _| {
            transport.option("hosts").is_empty() || transport.option("hosts_override") != "true"
        },
        about: all,
        shared: None,
        message: "with hosts_override all mail goes to these hosts, which are not the partner's",
    },
    Rule {
        kind: &OTHER_HOST,
        option: "fallback_hosts",
        words: EACH,
        is_right: |transport, _| transport.option("fallback_hosts").is_empty(),
        about: all,
        shared: None,
        message: "mail that a connector stops goes to these hosts, which are not the partner's",
    },
    Rule {
        kind: &MULTI_DOMAIN,
        option: "multi_domain",
        words: STRICT,
        is_right: |transport, _| transport.option("multi_domain") == "false",
        about: all,
        shared: Some("false"),
        message: "in a message to several domains at one host the answer for the first counts for all",
    },
    Rule {
        kind: &CONNECTION_REUSE,
        option: "connection_max_messages",
        words: STRICT,
        is_right: |transport, _| transport.option("connection_max_messages") == "1",
        about: all,
        shared: Some("1"),
        message: "this is not 1: a message goes over a connection that another one has opened",
    },
    Rule {
        kind: &RETRY,
        option: "interface",
        words: STRICT,
        is_right: |transport, _| !transport.option("interface").is_empty(),
        about: all,
        shared: Some("<; 0.0.0.0 ; ::"),
        message: "without an interface here, what TLS fails for one partner keeps all mail from its hosts",
    },
    Rule {
        kind: &RETRY,
        option: "delay_after_cutoff",
        words: STRICT,
        is_right: |transport, _| transport.option("delay_after_cutoff") == "false",
        about: all,
        shared: Some("false"),
        message: "when one partner's TLS has failed for days, mail to others at its hosts is returned without being tried",
    },
];

/// Whether TLSA records may count.
fn looks_for_records(transport: &Driver) -> bool {
    ["hosts_try_dane", "hosts_require_dane"].into_iter().any(|option| !transport.option(option).is_empty())
}

/// How the transport for `dane-only` sees that there were TLSA records.
fn insists_on_records(transport: &Driver) -> bool {
    transport.option("authenticated_sender")
        == "${if bool{${if eq{$tls_out_dane}{yes}{false}{the host has no usable TLSA records}}}}"
}

pub(super) fn transports(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| by_rule(patient, rule)).collect();
    findings.extend(missing(patient));
    findings.extend(retry(patient));
    findings
}

/// A word without a transport.
fn missing(patient: &Patient<'_>) -> Vec<Finding> {
    let settings = patient.settings;
    if !settings.routers.iter().any(routers::is_chosen_by_answer) {
        return Vec::new();
    }
    let unknown = EACH.iter().filter(|word| routers::chosen(patient, word.word()).is_empty());
    let found = unknown.filter_map(|word| {
        let message = format!("no transport is for the answer tls={}: the mail waits", word.word());
        let about = |connector: &Outbound| Transport::of(&connector.requirement) == *word;
        let mend = patient.restore_transports();
        patient.leaving(&TRANSPORT_MISSING, about, &message, "begin transports".to_owned(), mend)
    });
    found.collect()
}

/// Transports that are wrong in the same way because of one line have one finding together.
fn by_rule(patient: &Patient<'_>, rule: &Rule) -> Vec<Finding> {
    let mut wrong: Vec<(Transport, &Driver)> = Vec::new();
    for word in rule.words {
        let transports = routers::chosen(patient, word.word());
        wrong.extend(
            transports.into_iter().filter(|found| !(rule.is_right)(found, *word)).map(|found| (*word, found)),
        );
    }
    let is_ours = |transport: &Driver| {
        patient.is_in_all_transports(&transport.name, rule.option)
            || rule.shared.is_some() && has_options_of_ours(patient, transport)
    };
    let (shared, own): (Vec<_>, Vec<_>) = wrong.into_iter().partition(|(_, transport)| is_ours(transport));
    let groups = own.into_iter().map(|one| vec![one]).chain((!shared.is_empty()).then_some(shared));
    groups.filter_map(|group| about(patient, rule, &group)).collect()
}

/// Whether a transport is written in our file, where all read what they have in common.
fn has_options_of_ours(patient: &Patient<'_>, transport: &Driver) -> bool {
    let part = patient.settings.written.part("transports", &transport.name);
    part.is_some_and(|part| part.file.ends_with("/connectord/transports"))
}

fn about(patient: &Patient<'_>, rule: &Rule, wrong: &[(Transport, &Driver)]) -> Option<Finding> {
    let (_, transport) = wrong.first()?;
    let names: Vec<&str> = wrong.iter().map(|(_, transport)| transport.name.as_str()).collect();
    let mend = match rule.shared {
        Some(_) if !has_options_of_ours(patient, transport) => Vec::new(),
        Some(value) => patient.in_all_transports(rule.option, value),
        None => patient.restore_option(&transport.name, rule.option),
    };
    patient.leaving(
        rule.kind,
        |connector| {
            let needed = Transport::of(&connector.requirement);
            (rule.about)(connector) && wrong.iter().any(|(word, _)| *word == needed)
        },
        rule.message,
        format!("transport {}: {} = {}", names.join(", "), rule.option, transport.option(rule.option)),
        mend,
    )
}

/// Of the rules for all hosts the first must be that for failures of TLS, and its steps must be of seconds.
fn retry(patient: &Patient<'_>) -> Option<Finding> {
    const OURS: &str = "* tls_required F,";
    let rules = &patient.settings.written.retry;
    let first = rules.iter().find(|rule| rule.starts_with("* ")).map_or("", String::as_str);
    let steps = first.strip_prefix(OURS).and_then(|rest| rest.split_once(',')).map(|(_, every)| every);
    let is_short = steps.is_some_and(|every| every.ends_with('s') && !every.contains(';'));
    if is_short || routers::asking(&patient.settings.routers).is_none() {
        return None;
    }
    let message = "the first rule is not the one for TLS: what TLS fails for one partner keeps other partners' mail from its hosts";
    let mend = patient.include("retry", "retry");
    patient.leaving(&RETRY, |_| true, message, format!("begin retry: {first}"), mend)
}
