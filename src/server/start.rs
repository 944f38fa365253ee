//! What a start serves: the files, or the last good configuration in their place.
//!
//! The last good one is served when the files do not load, and when they are weaker than it and it
//! has `weaker_reload = "refuse"`: otherwise a restart could do what a reload may not. In both cases
//! the daemon is degraded until a reload succeeds. Files that differ from the last good one are
//! compared with it, and each change is logged as a reload would. Files that do not differ are served without
//! a further look at it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;

use super::last_good::{self, LastGood, NotUsed};
use super::loader::{Failure, Loaded, Problem};
use super::outcome::{is_refused, log_changes, log_problems, settings_changes, weakened, weakening};
use crate::config::Head;
use crate::snapshot::diff::{self, Change};

/// What is served, and how that came about.
pub(super) struct Start {
    /// What is served.
    pub(super) loaded: Loaded,
    /// From where.
    pub(super) basis: Basis,
}

/// Where a start's configuration comes from.
pub(super) enum Basis {
    /// The files, which were compared with nothing, because there is nothing, or it is the same.
    Files,
    /// The files, although there is something that they should have been compared with.
    FilesAlone(NotUsed),
    /// The files, which differ from the last good configuration.
    Changed {
        /// What they were compared with.
        from: Head,
        /// How.
        changes: Vec<Change>,
    },
    /// The last good configuration.
    LastGood(Degraded),
}

/// Why the files are not served.
pub(super) struct Degraded {
    /// When the files of what is served were read.
    pub(super) at: Timestamp,
    /// What is wrong with the files.
    pub(super) problems: Vec<Problem>,
    /// If nothing but that they are weaker: the changes.
    pub(super) changes: Option<Vec<Change>>,
}

/// Decides what to serve.
///
/// # Errors
/// When the files do not load and nothing can be served in their place: why.
pub(super) fn decide(files: Result<Loaded, Failure>, last_good: &LastGood) -> Result<Start, Failure> {
    let found = last_good.find();
    match files {
        Ok(loaded) => Ok(match found {
            Ok(None) => Start { loaded, basis: Basis::Files },
            Ok(Some((_, head))) if is_same(&loaded, &head) => Start { loaded, basis: Basis::Files },
            Ok(Some((file, head))) => match last_good.load(file) {
                Ok(kept) => compared(loaded, kept, head),
                Err(why) => Start { loaded, basis: Basis::FilesAlone(why) },
            },
            // That nothing can be kept there either is said when it is tried.
            Err(NotUsed::Closed(_)) => Start { loaded, basis: Basis::Files },
            Err(why) => Start { loaded, basis: Basis::FilesAlone(why) },
        }),
        Err(failure) => {
            let kept = found.and_then(|found| match found {
                Some((file, head)) => Ok(Some((last_good.load(file)?, head))),
                None => Ok(None),
            });
            match kept {
                Ok(Some((loaded, head))) => {
                    let degraded = Degraded { at: head.at(), problems: failure.problems, changes: None };
                    Ok(Start { loaded, basis: Basis::LastGood(degraded) })
                }
                Ok(None) => Err(failure),
                Err(why) => Err(also(failure, &why)),
            }
        }
    }
}

fn is_same(loaded: &Loaded, head: &Head) -> bool {
    loaded.files.as_ref().is_some_and(|files| files.head().is_of_the_same(head))
}

fn compared(loaded: Loaded, kept: Loaded, head: Head) -> Start {
    let compare = || {
        let mut changes = diff::diff(&kept.snapshot, &loaded.snapshot);
        changes.extend(settings_changes(&kept.settings, &loaded.settings));
        changes
    };
    let Ok(changes) = catch_unwind(AssertUnwindSafe(compare)) else {
        return Start { loaded, basis: Basis::FilesAlone(NotUsed::Internal) };
    };
    if is_refused(&kept.settings, &changes) {
        let problems = vec![weakening(weakened(&changes))];
        let degraded = Degraded { at: head.at(), problems, changes: Some(changes) };
        return Start { loaded: kept, basis: Basis::LastGood(degraded) };
    }
    Start { loaded, basis: Basis::Changed { from: head, changes } }
}

/// The failure of the files, and why nothing else is served.
fn also(mut failure: Failure, why: &NotUsed) -> Failure {
    let text = format!("\n\nthe last good configuration is not used: {why}\n    help: {}", why.help());
    failure.text.push_str(&text);
    failure
}

impl Basis {
    /// Logs it.
    pub(super) fn log(&self, generation: u64, sha256: &str) {
        match self {
            Basis::Files => {}
            Basis::FilesAlone(why) => last_good::ignored(why),
            Basis::Changed { from, changes } => {
                let (last_good, at) = (from.sha256(), from.at());
                let (count, weakened) = (changes.len(), weakened(changes));
                tracing::info!(last_good, %at, changes = count, weakened, "changed_since_last_good");
                log_changes(changes);
            }
            Basis::LastGood(Degraded { at, problems, changes }) => {
                log_changes(changes.as_deref().unwrap_or_default());
                let help =
                    "what is served is the last good configuration; mend the files, then: connectord reload";
                tracing::error!(generation, sha256, %at, problems = problems.len(), help, "degraded");
                log_problems(problems, "configuration_problem");
            }
        }
    }

    /// Why the files are not served, if they are not.
    pub(super) fn degraded(&self) -> Option<&Degraded> {
        match self {
            Basis::LastGood(degraded) => Some(degraded),
            Basis::Files | Basis::FilesAlone(_) | Basis::Changed { .. } => None,
        }
    }
}
