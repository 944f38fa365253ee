//! One address of a partner: visited once, and judged for every domain whose mail may go there.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::ground::{Ground, STEP, VISIT};
use super::subject::{Demand, Subject};
use crate::model::{Domain, Level, Requirement};
use crate::validate::dane::{self, Tlsa};
use crate::validate::handshake::Settings;
use crate::validate::judge::{Case, judge};
use crate::validate::mta_sts::{self, Absence, Policy};
use crate::validate::observation::{Observation, Stage, Target};
use crate::validate::probe::{Plan, TestMail, probe};
use crate::validate::report::{AddressReport, Verdict};
use crate::validate::revocation::{self, Revocation};
use crate::validate::route::Hop;
use crate::validate::sight::OUT_OF_TIME;
use crate::validate::strictest::{Capability, strictest};
use crate::validate::trust::{self, Trust};

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
    /// What it can do, for each domain.
    pub(super) capabilities: Vec<Capability>,
    /// Nobody was met: the MTA goes on to the next host.
    pub(super) is_away: bool,
}

impl Seen {
    /// Adds what a mail before this one showed at the same place: the worse of the two counts.
    pub(super) fn after(&mut self, before: Seen) {
        let Some(mail) = before.report.test_mail.clone() else { return };
        let now = self.report.test_mail.take();
        if before.report.verdict > self.report.verdict {
            self.report = before.report;
        }
        self.report.test_mail = Some(now.map_or(mail.clone(), |now| format!("{mail}; {now}")));
    }
}

/// What is known of a chain that was presented.
struct Chain<'d> {
    demand: &'d Demand,
    trust: Trust,
    revocation: Revocation,
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
        // In this order: who waits here takes no place from other connectors.
        let _own = ground.in_time(subject.seats.acquire()).await?.ok()?;
        let _seat = ground.seat(self.target.address).await?;
        let requirement = &subject.demand(&way.hop.next_hop).requirement;
        let plan = Plan {
            settings: self.settings(way, requirement),
            helo: ground.helo.clone(),
            mail,
            step: STEP,
            whole: VISIT,
        };
        // Whoever is cut off by the end of the run has not failed to answer.
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
        let mut all: Vec<(AddressReport, &str)> = Vec::new();
        let mut capabilities = Vec::new();
        let mut known = Vec::new();
        for way in &self.ways {
            let hop = &way.hop;
            let demand = subject.demand(&hop.next_hop);
            let domain = Domain::parse(&hop.next_hop).or_else(|_| Domain::parse(NO_DOMAIN));
            let Ok(domain) = domain else { continue };
            let presented = seen.tls.as_ref().map(|tls| tls.chain.as_slice());
            let chain = presented.map(|_| Self::chain(seen, demand, ground, now, &mut known));
            let chain = chain.flatten().and_then(|number| known.get(number));
            let dane = dane::report(&way.tlsa, hop, presented, now);
            // Records that could not be looked up are none to rely on: the MTA keeps the mail.
            let looked_up = !matches!(way.tlsa.as_ref(), Tlsa::Failed(_));
            let mta_sts = policies.get(&hop.next_hop).map(|found| mta_sts::report(found, &hop.host));
            let case = Case {
                requirement: &demand.requirement,
                domain: &domain,
                observation: seen,
                trust: chain.map(|chain| &chain.trust),
                revocation: chain.map(|chain| &chain.revocation),
                dane: looked_up.then_some(&dane),
                mta_sts: mta_sts.as_ref(),
                now,
            };
            let mut report = judge(&case);
            capabilities.push(strictest(&case));
            report.dane.get_or_insert(dane);
            all.push((report, &hop.next_hop));
        }
        let differ = all.iter().any(|(report, _)| all.iter().any(|(other, _)| other.code != report.code));
        let several = all.len() > 1 && differ;
        // The first of the worst.
        let worst = all.into_iter().rev().max_by_key(|(report, _)| report.verdict);
        let is_away = matches!(&seen.trouble, Some((stage, _)) if *stage <= Stage::Ehlo);
        match worst {
            Some((mut report, domain)) => {
                if several && report.verdict != Verdict::Pass {
                    report.reason = format!("for mail to {domain}: {}", report.reason);
                }
                Seen { report, capabilities, is_away }
            }
            None => self.unfinished(ground),
        }
    }

    /// Judges the chain by whom a demand trusts, once: a thousand domains may have one host. The
    /// place of the result among those that are known.
    fn chain<'d>(
        seen: &Observation,
        demand: &'d Demand,
        ground: &Ground,
        now: Timestamp,
        known: &mut Vec<Chain<'d>>,
    ) -> Option<usize> {
        let session = seen.tls.as_ref()?;
        let place = known.iter().position(|chain| std::ptr::eq(chain.demand, demand));
        if place.is_some() {
            return place;
        }
        let trust = trust::judge(&session.chain, ground.anchors(&demand.anchors));
        let chain = trust.as_ref().map_or(&session.chain, |trusted| &trusted.chain);
        let revocation = revocation::check(chain, session.stapled.as_deref(), &ground.lists, now);
        known.push(Chain { demand, trust, revocation });
        Some(known.len().saturating_sub(1))
    }

    /// There was no time left for it.
    pub(super) fn unfinished(&self, ground: &Ground) -> Seen {
        let report = AddressReport {
            address: Some(self.target.address),
            ..AddressReport::without_session(
                &self.target.host,
                self.target.port,
                Verdict::Fail,
                OUT_OF_TIME,
                &format!(
                    "not tested to the end in the {} s that this run had; it may be slow, or `--timeout` too short",
                    ground.options.timeout.as_secs()
                ),
            )
        };
        Seen { report, capabilities: Vec::new(), is_away: false }
    }

    /// Where Postfix tries it among the hosts of a domain; `None` when the domain's mail never goes
    /// there.
    pub(super) fn preference(&self, next_hop: &str) -> Option<u16> {
        let ways = self.ways.iter().filter(|way| way.hop.next_hop == next_hop);
        ways.map(|way| way.hop.preference).min()
    }

    /// Whether mail to all of its domains has one of these places to go to.
    pub(super) fn is_covered_by(&self, others: &[&Place]) -> bool {
        let leads_to =
            |place: &Place, next_hop: &str| place.ways.iter().any(|way| way.hop.next_hop == next_hop);
        self.ways.iter().all(|way| others.iter().any(|other| leads_to(other, &way.hop.next_hop)))
    }
}
