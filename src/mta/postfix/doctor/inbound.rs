//! Whether the daemon is asked about mail that comes in, and with what it needs to know.

use super::kinds::{
    CLIENT_CERTIFICATE, CLIENT_DIGEST, NO_STARTTLS, POLICY_SERVICE_ACTION, POLICY_SERVICE_LATE,
    POLICY_SERVICE_MISSING, SOCKET_PATH,
};
use super::{Patient, Place, Set, finding};
use crate::model::{Inbound, Mode};
use crate::mta::finding::{Finding, Kind};
use crate::mta::postfix::settings::{Service, tables};

const RECIPIENT: &str = "smtpd_recipient_restrictions";

const DATA: &str = "smtpd_data_restrictions";

/// Lists that are judged at RCPT with `smtpd_delay_reject = yes` (smtpd_check.c:smtpd_check_rcpt): the daemon may be
/// asked in any of them.
const BEFORE: [&str; 4] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
];

pub(super) fn inbound(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in open(patient) {
        findings.extend(asked(patient, service));
    }
    findings.extend(rules(patient));
    findings
}

/// The smtpd(8) that strangers reach: at port 25, or behind postscreen(8). At other ports are clients of our own, who
/// log in, and content filters.
fn open<'p>(patient: &Patient<'p>) -> impl Iterator<Item = &'p Service> + use<'p> {
    let settings = patient.settings;
    settings.running("smtpd").filter(|service| {
        let (address, kind) = service.name.rsplit_once('/').unwrap_or_default();
        let port = address.rsplit(':').next().unwrap_or_default();
        kind == "pass" || kind == "inet" && ["smtp", "25"].contains(&port)
    })
}

impl<'p> Patient<'p> {
    fn inbound_connectors(&self) -> impl Iterator<Item = &'p Inbound> {
        self.agreements.inbound.iter().filter(|connector| connector.mode != Mode::Off)
    }

    /// A finding about these inbound connectors; none without any.
    fn inbound(
        &self,
        kind: &'static Kind,
        about: impl Fn(&Inbound) -> bool,
        message: &str,
        set: Set<'_>,
        mend: Vec<String>,
    ) -> Option<Finding> {
        let connectors = self.inbound_connectors().filter(|connector| about(connector));
        finding(kind, connectors.map(|connector| connector.name.as_str()), message.to_owned(), set, mend)
    }

    /// The same restrictions, as they are written, with the daemon before them.
    fn asked_first(&self, name: &str) -> String {
        let ours = format!("check_policy_service unix:{}", self.as_asked(self.policy));
        let others = restrictions(self.settings.written(name));
        let others = others.into_iter().filter(|restriction| self.our_service(restriction).is_none());
        std::iter::once(ours)
            .chain(others.map(|restriction| restriction.join(" ")))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The path at which the daemon is asked, if this restriction asks it.
    fn our_service<'r>(&self, restriction: &[&'r str]) -> Option<&'r str> {
        let [first, service] = restriction else { return None };
        // 3.0 and newer: `{ unix:path, timeout=10s }`
        let service = service.trim_start_matches(['{', ' ']);
        let service = service.split([',', ' ', '}']).next().unwrap_or_default();
        let path = service.strip_prefix("unix:").filter(|_| is(first, "check_policy_service"))?;
        self.is_at(path, self.policy).then_some(path)
    }
}

/// Postfix compares them without case.
fn is(word: &str, restriction: &str) -> bool {
    word.eq_ignore_ascii_case(restriction)
}

/// A list of restrictions, each with its argument if it is one that has one.
fn restrictions(list: &str) -> Vec<Vec<&str>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    let mut words = tables(list).into_iter();
    while let Some(word) = words.next() {
        let lower = word.to_ascii_lowercase();
        let has_argument = lower.starts_with("check_")
            || lower.starts_with("reject_rbl")
            || lower.starts_with("reject_rhsbl")
            || lower.starts_with("permit_dnswl")
            || lower.starts_with("permit_rhswl")
            || lower == "sleep";
        found.push(std::iter::once(word).chain(has_argument.then(|| words.next()).flatten()).collect());
    }
    found
}

/// What ends a list in the client's favour. (What a table or another service says is not known from here.)
fn permits(restriction: &[&str]) -> bool {
    let first = restriction.first().copied().unwrap_or_default().to_ascii_lowercase();
    first == "permit" || first.starts_with("permit_")
}

/// Where in a list the daemon is asked, if nobody has permitted before.
enum Asked<'l> {
    /// At this path.
    First(&'l str),
    Late,
    Never,
}

fn asked_in<'l>(patient: &Patient<'_>, list: &'l str) -> Asked<'l> {
    let mut has_permitted = false;
    for restriction in restrictions(list) {
        if let Some(path) = patient.our_service(&restriction) {
            return if has_permitted { Asked::Late } else { Asked::First(path) };
        }
        has_permitted |= permits(&restriction);
    }
    Asked::Never
}

/// Whether one smtpd(8) asks at RCPT and at DATA.
fn asked<'p>(patient: &Patient<'p>, service: &'p Service) -> Vec<Finding> {
    let of = |name| patient.settings.of(service, name);
    let delays = of("smtpd_delay_reject") != "no";
    let is_asked_before =
        delays && BEFORE.iter().any(|name| matches!(asked_in(patient, of(name)), Asked::First(_)));
    let mut findings = Vec::new();
    for name in [RECIPIENT, DATA] {
        let (kind, message) = match asked_in(patient, of(name)) {
            Asked::First(path) if patient.reaches(service, path, patient.policy) => continue,
            Asked::First(_) => {
                (&SOCKET_PATH, "the daemon cannot be reached at this path, and all mail is refused for now")
            }
            Asked::Never | Asked::Late if name == RECIPIENT && is_asked_before => continue,
            Asked::Late => {
                (&POLICY_SERVICE_LATE, "what stands before the daemon lets clients pass that it never sees")
            }
            Asked::Never if name == DATA => (
                &POLICY_SERVICE_MISSING,
                "the daemon is not asked at DATA, and for `RCPT TO:<postmaster>` Postfix asks nowhere else",
            ),
            Asked::Never => (&POLICY_SERVICE_MISSING, "the daemon is not asked: no connector is in force"),
        };
        let place = patient.place(service, name);
        let mend = match place {
            Place::Main => vec![patient.set(name, &patient.asked_first(name)), patient.reload()],
            Place::Service(service) => vec![patient.unset(service, name), patient.reload()],
        };
        findings.extend(patient.inbound(kind, |_| true, message, Set { place, name, value: of(name) }, mend));
    }
    findings
}

/// A setting that is right or not.
struct Rule {
    kind: &'static Kind,
    name: &'static str,
    is_right: fn(&str) -> bool,
    right: &'static str,
    about: fn(&Inbound) -> bool,
    message: &'static str,
}

fn all(_: &Inbound) -> bool {
    true
}

fn needs_a_certificate(connector: &Inbound) -> bool {
    connector.require.certificate.is_some()
}

fn is_registered(connector: &Inbound) -> bool {
    connector.require.certificate.as_ref().is_some_and(|wanted| !wanted.registered.is_empty())
}

const RULES: [Rule; 4] = [
    Rule {
        kind: &POLICY_SERVICE_ACTION,
        name: "smtpd_policy_service_default_action",
        // access(5): a number, or one of the words that refuse.
        is_right: |value| {
            value.starts_with(['4', '5'])
                || ["defer", "reject"]
                    .iter()
                    .any(|word| value.split_whitespace().next().is_some_and(|first| is(first, word)))
        },
        right: "451 4.3.5 Server configuration problem",
        about: all,
        message: "this is done while the daemon does not answer, and it lets mail pass",
    },
    Rule {
        kind: &NO_STARTTLS,
        name: "smtpd_tls_security_level",
        is_right: |value| ["may", "encrypt"].contains(&value),
        right: "may",
        about: |connector| connector.require.needs_tls(),
        message: "STARTTLS is not offered, and mail of partners who have to use it is refused",
    },
    Rule {
        kind: &CLIENT_CERTIFICATE,
        name: "smtpd_tls_ask_ccert",
        is_right: |value| value == "yes",
        right: "yes",
        about: needs_a_certificate,
        message: "no client is asked for the certificate that has to be shown",
    },
    Rule {
        kind: &CLIENT_DIGEST,
        name: "smtpd_tls_fingerprint_digest",
        is_right: |value| value == "sha256",
        right: "sha256",
        about: is_registered,
        message: "registered certificates are known by SHA-256, and no digest of another algorithm is ever one of theirs",
    },
];

fn rules(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &RULES {
        for service in open(patient) {
            let value = patient.settings.of(service, rule.name);
            if !(rule.is_right)(value) {
                let place = patient.place(service, rule.name);
                let mend = patient.mend(place, rule.name, rule.right);
                let set = Set { place, name: rule.name, value };
                findings.extend(patient.inbound(rule.kind, rule.about, rule.message, set, mend));
            }
        }
    }
    findings
}
