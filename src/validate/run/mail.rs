//! The test mail: to the first place that the MTA would deliver it to, over the session that is judged.
//!
//! Every place has been seen by now. The first one of the recipient's domain that passes is visited
//! once more; in that very session it is judged again before MAIL FROM, and what this session showed
//! is what is reported. Recipients of several domains get a mail for each, each at hosts of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::ground::Ground;
use super::place::{Place, Policies, Seen};
use super::subject::Subject;
use crate::validate::message::Message;
use crate::validate::observation::Observation;
use crate::validate::options::Recipient;
use crate::validate::probe::{Claim, TestMail};
use crate::validate::report::{Finding, Verdict};
use crate::validate::route::Destination;
use crate::validate::sight::OUT_OF_TIME;

/// Bytes of a message's name.
const NAME: usize = 12;

/// Places that are tried. Ours: whoever passed a moment ago and three times not now is not well.
const TRIES: usize = 3;

/// What the mails of one run have in common.
pub(super) struct Round<'r> {
    pub(super) subject: &'r Arc<Subject>,
    pub(super) ground: &'r Arc<Ground>,
    pub(super) policies: &'r Arc<Policies>,
    pub(super) now: Timestamp,
}

impl Round<'_> {
    /// Sends all of them; what is seen replaces what was seen there before. What is not sent is told.
    pub(super) async fn send(&self, places: &[Arc<Place>], seen: &mut [Seen]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let passes = |seen: &Seen| seen.report.verdict != Verdict::Fail && seen.report.tls.is_some();
        // Of before the first mail: what one recipient was told is not about the next one's domain.
        let passed: Vec<bool> = seen.iter().map(passes).collect();
        for (domain, recipients) in self.rounds() {
            let serves = |place: &Place| match &domain {
                Some(domain) => place.preference(domain),
                None => Some(0),
            };
            let usable = places.iter().enumerate().filter(|(number, _)| passed.get(*number) == Some(&true));
            let mut usable: Vec<(u16, usize)> =
                usable.filter_map(|(number, place)| Some((serves(place)?, number))).collect();
            // In the order of this domain's own MX records.
            usable.sort_unstable();
            let order: Vec<usize> = usable.into_iter().map(|(_, number)| number).take(TRIES).collect();
            if let Err(finding) = self.send_one(domain.as_deref(), &recipients, places, seen, &order).await {
                findings.push(finding);
            }
        }
        findings
    }

    /// The recipients of each mail. By MX each domain has hosts of its own; smart hosts take all.
    fn rounds(&self) -> BTreeMap<Option<String>, Vec<String>> {
        let by_mx = self.subject.destinations.iter().all(|way| matches!(way, Destination::Domain(_)));
        let mut rounds: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
        for Recipient { address, domain } in &self.subject.recipients {
            rounds.entry(by_mx.then(|| domain.to_string())).or_default().push(address.clone());
        }
        rounds
    }

    async fn send_one(
        &self,
        domain: Option<&str>,
        recipients: &[String],
        places: &[Arc<Place>],
        seen: &mut [Seen],
        order: &[usize],
    ) -> Result<(), Finding> {
        for &number in order {
            let (Some(place), Some(slot)) = (places.get(number), seen.get_mut(number)) else { continue };
            let claim: Claim = {
                let (place, subject) = (place.clone(), self.subject.clone());
                let (ground, policies, now) = (self.ground.clone(), self.policies.clone(), self.now);
                Arc::new(move |seen: &Observation| {
                    place.judge(seen, &subject, &ground, &policies, now).report.verdict != Verdict::Fail
                })
            };
            let mail = self.mail(recipients, claim);
            let Some(observation) = place.visit(self.subject, self.ground, Some(mail)).await else {
                let why = "There was no time left for the test mail; it may have arrived.";
                return Err(Finding::new(Verdict::Fail, OUT_OF_TIME, why, ""));
            };
            let now = place.judge(&observation, self.subject, self.ground, self.policies, self.now);
            let before = std::mem::replace(slot, now);
            slot.after(before);
            if observation.mail.is_some() {
                return Ok(());
            }
        }
        let whose = domain.map_or_else(String::new, |domain| format!(" for {domain}"));
        let reason = format!("The test mail was not sent: no address{whose} passes with TLS.");
        Err(Finding::new(Verdict::Fail, "test-mail-not-sent", reason, ""))
    }

    fn mail(&self, recipients: &[String], claim: Claim) -> TestMail {
        let options = &self.ground.options;
        let helo = &self.ground.helo;
        let from = match options.sender.as_str() {
            "" => format!("postmaster@{helo}"),
            sender => sender.to_owned(),
        };
        let mut name = [0; NAME];
        // Without randomness the name is no name, and that harms nobody.
        let _ = openssl::rand::rand_bytes(&mut name);
        let id = name.iter().map(|byte| format!("{byte:02x}")).collect();
        TestMail {
            sender: options.sender.clone(),
            recipients: recipients.to_vec(),
            no_data: options.no_data,
            message: Message {
                connector: self.subject.name.clone(),
                host: helo.clone(),
                from,
                date: Timestamp::now(),
                id,
            },
            claim: Some(claim),
        }
    }
}
