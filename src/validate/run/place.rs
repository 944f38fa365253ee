//! One address of a partner: visited once, and judged for every domain whose mail may go there.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::ground::{Ground, STEP};
use super::subject::Subject;
use crate::model::{Domain, Level, Requirement};
use crate::validate::dane::{self, Tlsa};
use crate::validate::handshake::Settings;
use crate::validate::judge::{Case, judge};
use crate::validate::mta_sts::{self, Absence, Policy};
use crate::validate::observation::{Observation, Stage, Target};
use crate::validate::probe::{Plan, TestMail, probe};
use crate::validate::report::{AddressReport, Verdict};
use crate::validate::revocation;
use crate::validate::route::Hop;
use crate::validate::strictest::{Capability, strictest};
use crate::validate::trust;

/// What stands for the domain where the next-hop is an address: `match = "domain"` is refused for
/// those, so it is compared with nothing.
const NO_DOMAIN: &str = "no-domain.invalid";

/// The policies of MTA-STS by domain.
pub(super) type Policies = BTreeMap<String, Result<Policy, Absence>>;

/// An address, and the ways that lead to it: one for each domain, never none.
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) ways: Vec<Way>,
}

/// A hop with what its host's TLSA records say.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) hop: Arc<Hop>,
    pub(super) tlsa: Arc<Tlsa>,
}

/// A place that was looked at.
pub(super) struct Seen {
    pub(super) report: AddressReport,
    pub(super) capability: Option<Capability>,
    /// Nobody was met: the MTA goes on to the next host.
    pub(super) is_away: bool,
}

impl Place {
    /// Visits it, with a test mail or without. `None`: there was no time left.
    pub(super) async fn visit(
        &self,
        subject: &Subject,
        ground: &Ground,
        mail: Option<TestMail>,
    ) -> Option<Observation> {
        let way = self.ways.first()?;
        let _seat = ground.seat(self.target.address).await?;
        let requirement = &subject.demand(&way.hop.next_hop).requirement;
        let plan = Plan {
            settings: self.settings(way, requirement),
            helo: ground.helo.clone(),
            mail,
            step: STEP.min(ground.left()),
            whole: ground.left(),
        };
        ground.in_time(probe(&self.target, &plan)).await
    }

    /// How the handshake is made: with the name of the TLSA records where there are some
    /// (tls_dane.c:tls_dane_resolve).
    fn settings(&self, way: &Way, requirement: &Requirement) -> Settings {
        let is_dane = matches!(requirement.level(), Level::Dane | Level::DaneOnly);
        match way.tlsa.as_ref() {
            Tlsa::Found { base, .. } if is_dane => Settings::of(requirement, true, base, &way.hop.next_hop),
            Tlsa::Found { .. } | Tlsa::NotSecure | Tlsa::Absent | Tlsa::Failed(_) => {
                Settings::of(requirement, false, &self.target.host, &way.hop.next_hop)
            }
        }
    }

    /// What is to be said of it: for each domain, and the worst of that.
    pub(super) fn judge(
        &self,
        seen: &Observation,
        subject: &Subject,
        ground: &Ground,
        policies: &Policies,
        now: Timestamp,
    ) -> Seen {
        let mut all: Vec<(AddressReport, Capability, &str)> = Vec::new();
        for way in &self.ways {
            let hop = &way.hop;
            let demand = subject.demand(&hop.next_hop);
            let domain = Domain::parse(&hop.next_hop).or_else(|_| Domain::parse(NO_DOMAIN));
            let Ok(domain) = domain else { continue };
            let session = seen.tls.as_ref();
            let trust = session.map(|tls| trust::judge(&tls.chain, ground.anchors(&demand.anchors)));
            let chain = trust.as_ref().and_then(|trust| trust.as_ref().ok()).map(|trusted| &trusted.chain);
            let revocation = session.map(|tls| {
                revocation::check(chain.unwrap_or(&tls.chain), tls.stapled.as_deref(), &ground.lists, now)
            });
            let presented = session.map(|tls| tls.chain.as_slice());
            let dane = dane::report(&way.tlsa, hop, presented, now);
            // Records that could not be looked up are none to rely on: the MTA keeps the mail.
            let known = !matches!(way.tlsa.as_ref(), Tlsa::Failed(_));
            let mta_sts = policies.get(&hop.next_hop).map(|found| mta_sts::report(found, &hop.host));
            let case = Case {
                requirement: &demand.requirement,
                domain: &domain,
                observation: seen,
                trust: trust.as_ref(),
                revocation: revocation.as_ref(),
                dane: known.then_some(&dane),
                mta_sts: mta_sts.as_ref(),
                now,
            };
            let (mut report, capability) = (judge(&case), strictest(&case));
            report.dane.get_or_insert(dane);
            all.push((report, capability, &hop.next_hop));
        }
        let differ = all.iter().any(|(report, ..)| all.iter().any(|(other, ..)| other.code != report.code));
        let several = all.len() > 1 && differ;
        // The first of the worst; all of them have one capability but for `match = "domain"`.
        let worst = all.into_iter().rev().max_by_key(|(report, ..)| report.verdict);
        let is_away = matches!(&seen.trouble, Some((stage, _)) if *stage <= Stage::Ehlo);
        match worst {
            Some((mut report, capability, domain)) => {
                if several && report.verdict != Verdict::Pass {
                    report.reason = format!("for mail to {domain}: {}", report.reason);
                }
                Seen { report, capability: Some(capability), is_away }
            }
            None => self.unfinished(ground),
        }
    }

    /// There was no time left for it.
    pub(super) fn unfinished(&self, ground: &Ground) -> Seen {
        let report = AddressReport {
            address: Some(self.target.address),
            ..AddressReport::without_session(
                &self.target.host,
                self.target.port,
                Verdict::Fail,
                "out-of-time",
                &format!(
                    "not tested to the end in the {} s that this run had; it may be slow, or `--timeout` too short",
                    ground.options.timeout.as_secs()
                ),
            )
        };
        Seen { report, capability: None, is_away: false }
    }

    /// Whether mail to all of its domains has one of these places to go to.
    pub(super) fn is_covered_by(&self, others: &[&Place]) -> bool {
        let leads_to =
            |place: &Place, next_hop: &str| place.ways.iter().any(|way| way.hop.next_hop == next_hop);
        self.ways.iter().all(|way| others.iter().any(|other| leads_to(other, &way.hop.next_hop)))
    }
}
