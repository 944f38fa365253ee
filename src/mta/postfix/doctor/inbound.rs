//! Whether the daemon is asked about mail that comes in, and with what it needs to know.

use ipnet::IpNet;

use super::access::AccessTables;
use super::asked::{asked, says_what_then};
use super::kinds::{CLIENT_CERTIFICATE, CLIENT_DIGEST, NO_STARTTLS, POLICY_SERVICE_ACTION};
use super::proxies::proxies;
use super::{Patient, Rule, Set, finding, is};
use crate::model::Inbound;
use crate::mta::finding::{Finding, Kind, Severity};
use crate::mta::postfix::restrictions::refuses;
use crate::mta::postfix::settings::{Service, Settings, tables};

pub(super) fn inbound(patient: &Patient<'_>) -> Vec<Finding> {
    let access = AccessTables::read(patient);
    let mut findings = Vec::new();
    let mut settled = Vec::new();
    for service in doors(patient) {
        let wrong = asked(patient, &access, service);
        // What mends one of those says nothing of what is done then.
        if wrong.is_empty() && says_what_then(patient, service) {
            settled.push(service.name.as_str());
        }
        findings.extend(wrong);
    }
    for rule in &RULES {
        // Who logs in needs no STARTTLS where all is TLS, and no certificate.
        let services: Vec<&Service> = match rule.kind.severity {
            Severity::Bypass => doors(patient).collect(),
            Severity::Outage | Severity::Evidence | Severity::Advice => open(patient).collect(),
        };
        let is_about = |service: &&Service| {
            rule.kind != &POLICY_SERVICE_ACTION || !settled.contains(&service.name.as_str())
        };
        for service in services.into_iter().filter(is_about) {
            findings.extend(patient.at_door(rule, service));
        }
    }
    findings.extend(proxies(patient, &access));
    findings
}

/// Every smtpd(8) that strangers reach: at port 25, or behind postscreen(8), and at other ports unless it is for this host
/// alone. Of those, the ones that turn strangers away at RCPT let them in for `RCPT TO:<postmaster>`.
pub(super) fn doors<'p>(patient: &Patient<'p>) -> impl Iterator<Item = &'p Service> + use<'p> {
    let settings = patient.settings;
    let others = settings.running("smtpd").filter(|service| is_at_another_port(settings, service));
    open(patient).chain(others)
}

/// Whether strangers reach an smtpd(8) at another port than 25.
pub(super) fn is_at_another_port(settings: &Settings, service: &Service) -> bool {
    let (address, kind) = service.name.rsplit_once('/').unwrap_or_default();
    let (host, port) = address.rsplit_once(':').unwrap_or(("", address));
    let is_local = |host: &str| {
        let plain = host.trim_matches(['[', ']']);
        let is_loopback = plain.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        is(host, "localhost") || is(host, "loopback-only") || is_loopback
    };
    // master(8) opens ports by main.cf alone (master_ent.c:get_master_ent).
    let hosts = if host.is_empty() { tables(settings.main("inet_interfaces")) } else { vec![host] };
    let is_for_us = !hosts.is_empty() && hosts.into_iter().all(is_local);
    kind == "inet" && !["smtp", "25"].contains(&port) && !is_for_us
}

/// The smtpd(8) that everybody sends to: at port 25, or behind postscreen(8).
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

    /// Whether all of these networks are exempt from judgement; not where there is something else among them, but for the
    /// name of who is at a loopback address (both lookups have to agree on it).
    pub(super) fn is_exempt(&self, networks: &str) -> bool {
        tables(networks).into_iter().all(|network| {
            if is(network, "localhost") {
                return self.is_exempt("127.0.0.1 ::1");
            }
            let plain: String = network.chars().filter(|c| !['[', ']'].contains(c)).collect();
            let parsed: Option<IpNet> = plain
                .parse()
                .ok()
                .or_else(|| plain.parse().ok().map(|address: std::net::IpAddr| address.into()));
            parsed.is_some_and(|network| {
                // Of `::ffff:127.0.0.0/104` Postfix says 127.0.0.0/8.
                self.exempts(unmapped(network))
            })
        })
    }

    /// Whether a network is exempt from judgement.
    pub(super) fn exempts(&self, network: IpNet) -> bool {
        self.agreements.inbound_exempt.iter().any(|exempt| exempt.contains(&network))
    }
}

fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(address, length)| IpNet::new(address.into(), length).ok()).unwrap_or(network)
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
