//! The one place where the network is asked for: a runtime of its own, for as long as the run takes.

use jiff::Timestamp;
use tokio::runtime;

use crate::cli::Failure;
use crate::snapshot::Snapshot;
use crate::validate::options::{Options, Test};
use crate::validate::report::ConnectorReport;
use crate::validate::run::{Ground, Progress, Subject, run};

/// Tests outbound connectors; the reports come in the same order.
pub(super) fn test(
    tests: &[Test<'_>],
    options: Options,
    snapshot: &Snapshot,
    progress: Progress<'_>,
) -> Result<Vec<ConnectorReport>, Failure> {
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let now = Timestamp::now();
    let subjects = tests
        .iter()
        .map(|test| Subject::of(test.connector, test.recipients.clone(), snapshot, now))
        .collect();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
    runtime.block_on(async {
        let ground = Ground::new(options, now)?;
        Ok(run(subjects, ground, now, progress).await)
    })
}
