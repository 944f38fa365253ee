//! The test mail: to the first place that the MTA would deliver to, over the session that is judged.
//!
//! Every place has been seen by now. The first one that passes is visited once more; in that very
//! session it is judged again before MAIL FROM, and what this session showed is what is reported.

use std::sync::Arc;

use jiff::Timestamp;

use super::ground::Ground;
use super::place::{Place, Policies, Seen};
use super::subject::Subject;
use crate::validate::message::Message;
use crate::validate::observation::Observation;
use crate::validate::probe::{Claim, TestMail};
use crate::validate::report::{Finding, Verdict};

/// Bytes of a message's name.
const NAME: usize = 12;

/// Places that are tried. Ours: whoever passed a moment ago and three times not now is not well.
const TRIES: usize = 3;

/// Sends it; what is seen replaces what was seen there before.
pub(super) async fn send(
    subject: &Arc<Subject>,
    ground: &Arc<Ground>,
    places: &[Arc<Place>],
    policies: &Arc<Policies>,
    seen: &mut [Seen],
    now: Timestamp,
) -> Result<(), Finding> {
    let usable =
        |(_, seen): &(_, &mut Seen)| seen.report.verdict != Verdict::Fail && seen.report.tls.is_some();
    for (place, slot) in places.iter().zip(seen).filter(usable).take(TRIES) {
        let claim: Claim = {
            let (place, subject) = (place.clone(), subject.clone());
            let (ground, policies) = (ground.clone(), policies.clone());
            Arc::new(move |seen: &Observation| {
                place.judge(seen, &subject, &ground, &policies, now).report.verdict != Verdict::Fail
            })
        };
        let Some(observation) = place.visit(subject, ground, Some(mail(subject, ground, claim))).await else {
            *slot = place.unfinished(ground);
            break;
        };
        *slot = place.judge(&observation, subject, ground, policies, now);
        if observation.mail.is_some() {
            return Ok(());
        }
    }
    Err(Finding {
        verdict: Verdict::Fail,
        code: "test-mail-not-sent".to_owned(),
        reason: "The test mail was not sent: no address passes with TLS.".to_owned(),
        detail: String::new(),
    })
}

fn mail(subject: &Subject, ground: &Ground, claim: Claim) -> TestMail {
    let options = &ground.options;
    let from = match options.sender.as_str() {
        "" => format!("postmaster@{}", ground.helo),
        sender => sender.to_owned(),
    };
    let mut name = [0; NAME];
    // Without randomness the name is no name, and that harms nobody.
    let _ = openssl::rand::rand_bytes(&mut name);
    let id = name.iter().map(|byte| format!("{byte:02x}")).collect();
    TestMail {
        sender: options.sender.clone(),
        recipients: subject.recipients.clone(),
        no_data: options.no_data,
        message: Message {
            connector: subject.name.clone(),
            host: ground.helo.clone(),
            from,
            date: Timestamp::now(),
            id,
        },
        claim: Some(claim),
    }
}
