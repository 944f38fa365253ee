//! A run: every connector that is asked for, at the same time, and never longer than it may take.
//!
//! Connectors, hosts and addresses are looked at side by side, with a bound on what is under way
//! ([`MAX_VISITS`] connections, [`MAX_VISITS_AT_ONE`] of them to one address; the DNS has its own).
//! What is not done when the time is over is reported as a failure that says so: nobody is waited
//! for, and nothing is taken for granted.

mod connector;
mod ground;
mod mail;
mod place;
mod subject;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use ground::{Error, Ground, MAX_VISITS, MAX_VISITS_AT_ONE};
pub use subject::Subject;

use super::report::{AddressReport, ConnectorReport, Finding, Verdict};
use super::sight::OUT_OF_TIME;

/// How long after the time is over those are waited for that are about to end.
const GRACE: Duration = Duration::from_secs(1);

/// Told of each address of a connector as soon as it is judged.
pub type Progress<'p> = &'p dyn Fn(&str, &AddressReport);

/// Tests every subject; the reports come in the same order. `now` is the time of all judgements.
///
/// A session that computes for long (a peer may ask for that) cannot be interrupted, so nobody is
/// waited for: [`GRACE`] after the time is over, whoever has not come back is reported with what it
/// has told so far. Whoever calls this must not wait for what is still running either.
pub async fn run(
    subjects: Vec<Subject>,
    ground: Ground,
    now: Timestamp,
    progress: Progress<'_>,
) -> Vec<ConnectorReport> {
    let ground = Arc::new(ground);
    let end = ground.deadline().checked_add(GRACE).unwrap_or_else(|| ground.deadline());
    let (teller, mut told) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    let mut pending = BTreeMap::new();
    for (number, subject) in subjects.into_iter().enumerate() {
        let (ground, teller) = (ground.clone(), teller.clone());
        pending.insert(number, Unfinished::of(&subject));
        tasks.spawn(async move { (number, connector::test(Arc::new(subject), ground, now, teller).await) });
    }
    drop(teller);
    let mut over = alarm(end);
    let mut reports = BTreeMap::new();
    let mut so_far: BTreeMap<String, Vec<AddressReport>> = BTreeMap::new();
    let mut hear = |(connector, address): (String, AddressReport)| {
        progress(&connector, &address);
        so_far.entry(connector).or_default().push(address);
    };
    loop {
        tokio::select! {
            Some(address) = told.recv() => hear(address),
            done = tasks.join_next() => match done {
                Some(Ok((number, report))) => {
                    pending.remove(&number);
                    reports.insert(number, report);
                }
                // Only a bug of ours: it must not look like a connector that is not there.
                Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                None => break,
            },
            _ = &mut over => break,
        }
    }
    while let Ok(address) = told.try_recv() {
        hear(address);
    }
    for (number, unfinished) in pending {
        let addresses = so_far.remove(&unfinished.name).unwrap_or_default();
        reports.insert(number, unfinished.report(addresses, &ground, now));
    }
    tasks.detach_all();
    reports.into_values().collect()
}

/// Rings at that time. It has a thread of its own: the runtime's clock stands still while all of its
/// threads compute.
fn alarm(end: Instant) -> oneshot::Receiver<()> {
    let (bell, rung) = oneshot::channel();
    let left = end.saturating_duration_since(Instant::now());
    thread::spawn(move || {
        thread::sleep(left);
        // Nobody listens when all was done before.
        let _ = bell.send(());
    });
    rung
}

/// What is known of a connector before it was tested.
struct Unfinished {
    name: String,
    level: &'static str,
    findings: Vec<Finding>,
}

impl Unfinished {
    fn of(subject: &Subject) -> Unfinished {
        Unfinished {
            name: subject.name.clone(),
            level: subject.own.requirement.level().word(),
            findings: subject.findings.clone(),
        }
    }

    fn report(self, addresses: Vec<AddressReport>, ground: &Ground, now: Timestamp) -> ConnectorReport {
        let mut findings = self.findings;
        let reason = format!(
            "Not tested to the end in the {} s that this run had; the partner may be slow, or `--timeout` too short.",
            ground.options.timeout.as_secs()
        );
        findings.push(Finding::new(Verdict::Fail, OUT_OF_TIME, reason, ""));
        ConnectorReport {
            connector: self.name,
            verdict: Verdict::Fail,
            level: self.level.to_owned(),
            at: now,
            strictest: None,
            findings,
            addresses,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock rings although every thread of the runtime computes.
    #[test]
    fn nobody_who_computes_stops_the_clock() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let busy = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let rang_while_busy = runtime.block_on(async {
            for _ in 0..4 {
                let busy = busy.clone();
                tokio::spawn(async move {
                    while busy.load(std::sync::atomic::Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            alarm(Instant::now() + Duration::from_millis(50)).await.is_ok()
        });
        busy.store(false, std::sync::atomic::Ordering::Relaxed);
        assert!(rang_while_busy);
    }
}
