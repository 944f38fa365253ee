//! A run: every connector that is asked for, at the same time, and never longer than it may take.
//!
//! Connectors, hosts and addresses are looked at side by side, with a bound on what is under way
//! ([`MAX_VISITS`] connections, [`MAX_VISITS_AT_ONE`] of them to one address; the DNS has its own). What is not done when the time is over is
//! reported as a failure that says so: nobody is waited for, and nothing is taken for granted.

mod connector;
mod ground;
mod mail;
mod place;
mod subject;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use ground::{Error, Ground, MAX_VISITS, MAX_VISITS_AT_ONE};
pub use subject::Subject;

use super::report::{AddressReport, ConnectorReport};

/// Told of each address of a connector as soon as it is judged.
pub type Progress<'p> = &'p dyn Fn(&str, &AddressReport);

/// Tests every subject; the reports come in the same order. `now` is the time of all judgements.
pub async fn run(
    subjects: Vec<Subject>,
    ground: Ground,
    now: Timestamp,
    progress: Progress<'_>,
) -> Vec<ConnectorReport> {
    let ground = Arc::new(ground);
    let (teller, mut told) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for (number, subject) in subjects.into_iter().enumerate() {
        let (ground, teller) = (ground.clone(), teller.clone());
        tasks.spawn(async move { (number, connector::test(Arc::new(subject), ground, now, teller).await) });
    }
    drop(teller);
    // Ends when the last connector has dropped its end.
    while let Some((connector, address)) = told.recv().await {
        progress(&connector, &address);
    }
    let mut reports = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(done) => reports.push(done),
            // Only a bug of ours: it must not look like a connector that is not there.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    reports.sort_by_key(|(number, _)| *number);
    reports.into_iter().map(|(_, report)| report).collect()
}
