//! Whether the daemon is asked about mail that comes in, and with what it needs to know.

use ipnet::IpNet;

use super::kinds::{
    CLIENT_CERTIFICATE, CLIENT_DIGEST, NO_STARTTLS, POLICY_SERVICE_ACTION, POLICY_SERVICE_LATE,
    POLICY_SERVICE_MISSING, SOCKET_PATH,
};
use super::restrictions::{PolicyService, Restriction, refuses, restrictions};
use super::{Patient, Rule, Set, finding, is};
use crate::model::Inbound;
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

/// Every list in which the daemon is asked where it is asked in time.
pub(super) const LISTS: [&str; 6] = [BEFORE[0], BEFORE[1], BEFORE[2], BEFORE[3], RECIPIENT, DATA];

pub(super) fn inbound(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = open(patient).flat_map(|service| asked(patient, service)).collect();
    for rule in &RULES {
        for service in open(patient) {
            findings.extend(patient.at_door(rule, service));
        }
    }
    findings
}

/// The smtpd(8) that strangers reach: at port 25, or behind postscreen(8). At other ports are clients of our own, who
/// log in, and content filters.
pub(super) fn open<'p>(patient: &Patient<'p>) -> impl Iterator<Item = &'p Service> + use<'p> {
    let settings = patient.settings;
    settings.running("smtpd").filter(|service| {
        let (address, kind) = service.name.rsplit_once('/').unwrap_or_default();
        let port = address.rsplit(':').next().unwrap_or_default();
        kind == "pass" || kind == "inet" && ["smtp", "25"].contains(&port)
    })
}

impl<'p> Patient<'p> {
    /// A finding about these inbound connectors; none without any.
    pub(super) fn coming(
        &self,
        kind: &'static Kind,
        about: impl Fn(&Inbound) -> bool,
        message: &str,
        set: Set<'_>,
        mend: Vec<String>,
    ) -> Option<Finding> {
        let connectors = self.inbound_connectors().filter(|connector| about(connector));
        finding(kind, connectors.map(|connector| connector.name.as_str()), message, set, mend)
    }

    fn at_door(&self, rule: &Rule<Inbound>, service: &'p Service) -> Option<Finding> {
        let value = self.settings.of(service, rule.name);
        if (rule.is_right)(value) {
            return None;
        }
        let place = self.place(service, rule.name);
        let mend = self.mend(place, rule.name, rule.is_right, rule.right);
        self.coming(rule.kind, rule.about, rule.message, Set { place, name: rule.name, value }, mend)
    }

    /// The policy service that a restriction asks, if it is the daemon.
    fn our_service<'l>(&self, restriction: &Restriction<'l>) -> Option<PolicyService<'l>> {
        PolicyService::of(restriction).filter(|service| self.is_at(service.path, self.policy))
    }

    /// The commands that ask the daemon before the other restrictions, as they are written.
    fn judged_first(&self, service: &'p Service, name: &str) -> Vec<String> {
        let Some(path) = self.as_asked(self.policy, std::iter::once(service)) else { return Vec::new() };
        let place = self.place(service, name);
        let others = restrictions(self.written(place, name)).into_iter();
        let others = others.filter(|restriction| self.our_service(restriction).is_none());
        let ours = format!("check_policy_service unix:{path}");
        let entries: Vec<String> =
            std::iter::once(ours).chain(others.map(|restriction| restriction.text())).collect();
        self.rewrite(place, name, &entries)
    }

    /// Whether a restriction ends a list in favour of clients that the daemon would judge. (What a table or another
    /// service says is not known from here.)
    fn lets_pass(&self, service: &Service, restriction: &Restriction<'_>) -> bool {
        let lower = restriction.name.to_ascii_lowercase();
        match lower.as_str() {
            // The daemon lets these pass as well.
            "permit_sasl_authenticated" => false,
            "permit_mynetworks" => !self.is_exempt(self.settings.of(service, "mynetworks")),
            _ => lower == "permit" || lower.starts_with("permit_"),
        }
    }

    /// Whether all of these networks are exempt from judgement; not where there is something else among them.
    pub(super) fn is_exempt(&self, networks: &str) -> bool {
        tables(networks).into_iter().all(|network| {
            let plain: String = network.chars().filter(|c| !['[', ']'].contains(c)).collect();
            let parsed: Option<IpNet> = plain
                .parse()
                .ok()
                .or_else(|| plain.parse().ok().map(|address: std::net::IpAddr| address.into()));
            parsed.is_some_and(|network| {
                // Of `::ffff:127.0.0.0/104` Postfix says 127.0.0.0/8.
                let network = unmapped(network);
                self.agreements.inbound_exempt.iter().any(|exempt| exempt.contains(&network))
            })
        })
    }
}

fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(address, length)| IpNet::new(address.into(), length).ok()).unwrap_or(network)
}

/// How the daemon is asked in a list.
enum Asked<'l> {
    /// Before anybody else can let a client pass.
    First(PolicyService<'l>),
    /// What it says is only logged.
    InVain,
    Late,
    Never,
}

fn asked_in<'l>(patient: &Patient<'_>, service: &Service, list: &'l str) -> Asked<'l> {
    let mut has_passed = false;
    let mut in_vain = false;
    for restriction in restrictions(list) {
        if let Some(ours) = patient.our_service(&restriction) {
            match (restriction.only_warns, has_passed) {
                (true, _) => in_vain = true,
                (false, true) => return Asked::Late,
                (false, false) => return Asked::First(ours),
            }
        }
        has_passed |= patient.lets_pass(service, &restriction);
    }
    if in_vain { Asked::InVain } else { Asked::Never }
}

/// Whether one smtpd(8) asks at RCPT and at DATA.
fn asked<'p>(patient: &Patient<'p>, service: &'p Service) -> Vec<Finding> {
    let of = |name| patient.settings.of(service, name);
    let is_asked_before = !is(of("smtpd_delay_reject"), "no")
        && BEFORE.iter().any(|name| matches!(asked_in(patient, service, of(name)), Asked::First(_)));
    let mut findings = Vec::new();
    for name in [RECIPIENT, DATA] {
        let (kind, message) = match asked_in(patient, service, of(name)) {
            Asked::First(ours) if !patient.reaches(service, ours.path, patient.policy) => {
                (&SOCKET_PATH, "the daemon cannot be reached at this path, and all mail is refused for now")
            }
            Asked::First(ours) if ours.default_action.is_some_and(|action| !refuses(action)) => {
                (&POLICY_SERVICE_ACTION, "while the daemon does not answer this lets mail pass")
            }
            Asked::First(_) => continue,
            Asked::Never | Asked::Late | Asked::InVain if name == RECIPIENT && is_asked_before => continue,
            Asked::Late => {
                (&POLICY_SERVICE_LATE, "what stands before the daemon lets clients pass that it never sees")
            }
            Asked::InVain => {
                (&POLICY_SERVICE_MISSING, "what the daemon refuses is only logged (warn_if_reject)")
            }
            Asked::Never if name == DATA => (
                &POLICY_SERVICE_MISSING,
                "the daemon is not asked at DATA, and for `RCPT TO:<postmaster>` Postfix asks nowhere else",
            ),
            Asked::Never => (&POLICY_SERVICE_MISSING, "the daemon is not asked: no connector is in force"),
        };
        let set = Set { place: patient.place(service, name), name, value: of(name) };
        findings.extend(patient.coming(kind, |_| true, message, set, patient.judged_first(service, name)));
    }
    findings
}

const RULES: [Rule<Inbound>; 4] = [
    Rule {
        kind: &POLICY_SERVICE_ACTION,
        name: "smtpd_policy_service_default_action",
        is_right: refuses,
        right: "451 4.3.5 Server configuration problem",
        about: |_| true,
        message: "while the daemon does not answer this lets mail pass",
    },
    Rule {
        kind: &NO_STARTTLS,
        name: "smtpd_tls_security_level",
        is_right: |value| is(value, "may") || is(value, "encrypt"),
        right: "may",
        about: |connector| connector.require.needs_tls(),
        message: "STARTTLS is not offered, and mail of partners who have to use it is refused",
    },
    Rule {
        kind: &CLIENT_CERTIFICATE,
        name: "smtpd_tls_ask_ccert",
        is_right: |value| is(value, "yes"),
        right: "yes",
        about: |connector| connector.require.certificate.is_some(),
        message: "no client is asked for the certificate that has to be shown",
    },
    Rule {
        kind: &CLIENT_DIGEST,
        name: "smtpd_tls_fingerprint_digest",
        is_right: |value| is(value, "sha256"),
        right: "sha256",
        about: |connector| {
            connector.require.certificate.as_ref().is_some_and(|wanted| !wanted.registered.is_empty())
        },
        message: "registered certificates are known by SHA-256, and no digest of another algorithm is one of theirs",
    },
];
