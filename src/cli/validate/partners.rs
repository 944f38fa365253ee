//! The one place where the network is asked for: a runtime of its own, for as long as the run takes.

use std::io;

use jiff::Timestamp;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime;

use crate::cli::Failure;
use crate::snapshot::Snapshot;
use crate::validate::options::{Options, Test};
use crate::validate::report::ConnectorReport;
use crate::validate::run::{self, Ground, Progress, Subject, run};

/// Descriptors beyond which none are asked for: bounds in the run keep it far below.
const MAX_DESCRIPTORS: u64 = 16 * 1024;

/// Why nobody could be tested.
pub(super) enum Error {
    /// There are no threads for it, or no descriptors.
    Runtime(io::Error),
    /// What all tests stand on is missing.
    Ground(run::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Runtime(error) => Failure::Runtime(error),
            Error::Ground(error) => {
                Failure::Ground { message: error.to_string(), is_of_an_option: error.is_of_an_option() }
            }
        }
    }
}

/// Tests outbound connectors; the reports come in the same order.
pub(super) fn test(
    tests: &[Test<'_>],
    options: Options,
    snapshot: &Snapshot,
    progress: Progress<'_>,
) -> Result<Vec<ConnectorReport>, Error> {
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let now = Timestamp::now();
    let subjects: Vec<Subject> = tests
        .iter()
        .map(|test| Subject::of(test.connector, test.recipients.clone(), snapshot, now))
        .collect();
    let needs_dns = subjects.iter().any(Subject::needs_dns);
    more_descriptors();
    // Threads of its own for what computes: a partner that makes a handshake expensive must not stop
    // the clock of the others.
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let reports = runtime.block_on(async {
        let ground = Ground::new(options, now).map_err(Error::Ground)?;
        if needs_dns {
            ground.look_round().await.map_err(Error::Ground)?;
        }
        Ok(run(subjects, ground, now, progress).await)
    });
    // Nobody is waited for.
    runtime.shutdown_background();
    reports
}

/// Each visit is a descriptor: as many as the system allows us.
fn more_descriptors() {
    // What it had before is enough for most runs.
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(MAX_DESCRIPTORS)), hard);
    }
}
