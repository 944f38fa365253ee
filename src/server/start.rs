//! What a start serves: the files, or the last good configuration in their place.
//!
//! The last good one is served when the files do not load, and when they are weaker than it and it
//! has `weaker_reload = "refuse"`: otherwise a restart could do what a reload may not. In both cases
//! the daemon is degraded until a reload succeeds.
//!
//! Files that differ from the last good one are compared with it, and each change is logged as a
//! reload would. That delays the first answer only where it may decide about it. Files that do not
//! differ are served without a further look at it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;

use super::last_good::{self, Found, LastGood, NotUsed};
use super::loader::{Failure, Loaded, Problem};
use super::outcome::{is_refused, log_changes, log_problems, settings_changes, weakened, weakening};
use crate::config::{Files, Head, ServerSettings, WeakerReload};
use crate::snapshot::Snapshot;
use crate::snapshot::diff::{self, Change};

/// What is served, and how that came about.
pub(super) struct Start {
    /// What is served.
    pub(super) loaded: Loaded,
    /// From where.
    pub(super) basis: Basis,
    /// What it has yet to be compared with: that takes as long as a load, and can refuse nothing.
    uncompared: Option<Found>,
}

impl Start {
    fn new(loaded: Loaded, basis: Basis) -> Start {
        Start { loaded, basis, uncompared: None }
    }

    /// Takes out what is left to do once it is served.
    pub(super) fn rest(&mut self) -> Rest {
        Rest { uncompared: self.uncompared.take(), unkept: self.loaded.files.take() }
    }
}

/// What is left to do.
#[derive(Default)]
pub(super) struct Rest {
    /// What the generation that is served has yet to be compared with.
    pub(super) uncompared: Option<Found>,
    /// Its files, until they are kept.
    pub(super) unkept: Option<Files>,
}

/// Where a start's configuration comes from.
pub(super) enum Basis {
    /// The files, which do not differ, or have yet to be compared, or are the first.
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
            Ok(Some(found)) if is_same(&loaded, &found.head) => Start::new(loaded, Basis::Files),
            Ok(Some(found)) => match found.head.weaker_reload() {
                WeakerReload::Refuse => refused_or_served(loaded, found),
                WeakerReload::Apply => Start { loaded, basis: Basis::Files, uncompared: Some(found) },
            },
            Ok(None) => Start::new(loaded, Basis::Files),
            Err(why) => Start::new(loaded, Basis::FilesAlone(why)),
        }),
        Err(failure) => {
            let kept = found.and_then(|found| {
                let Some(found) = found else {
                    return Ok(None);
                };
                let at = found.head.at();
                Ok(Some((LastGood::load(found)?, at)))
            });
            match kept {
                Ok(Some((loaded, at))) => {
                    let degraded = Degraded { at, problems: failure.problems, changes: None };
                    Ok(Start::new(loaded, Basis::LastGood(degraded)))
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

/// The files, unless the last good configuration refuses them.
fn refused_or_served(loaded: Loaded, found: Found) -> Start {
    let head = found.head.clone();
    let compared = LastGood::load(found)
        .and_then(|kept| Ok((changes(&kept, &loaded.snapshot, &loaded.settings)?, kept)));
    let (changes, kept) = match compared {
        Ok(compared) => compared,
        Err(why) => return Start::new(loaded, Basis::FilesAlone(why)),
    };
    if is_refused(&kept.settings, &changes) {
        let problems = vec![weakening(weakened(&changes))];
        let degraded = Degraded { at: head.at(), problems, changes: Some(changes) };
        return Start::new(kept, Basis::LastGood(degraded));
    }
    Start::new(loaded, Basis::Changed { from: head, changes })
}

fn changes(kept: &Loaded, snapshot: &Snapshot, settings: &ServerSettings) -> Result<Vec<Change>, NotUsed> {
    let compare = || {
        let mut changes = diff::diff(&kept.snapshot, snapshot);
        changes.extend(settings_changes(&kept.settings, settings));
        changes
    };
    catch_unwind(AssertUnwindSafe(compare)).map_err(|_| NotUsed::Internal)
}

/// The failure of the files, and why nothing else is served.
fn also(mut failure: Failure, why: &NotUsed) -> Failure {
    let text = format!("\n\nthe last good configuration is not used: {why}\n    help: {}", why.help());
    failure.text.push_str(&text);
    failure
}

impl Basis {
    /// Logs it.
    pub(super) fn log(&self, served: &Snapshot) {
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
                let (generation, sha256) = (served.generation(), served.sha256());
                tracing::error!(generation, sha256, %at, problems = problems.len(), help, "degraded");
                log_problems(problems, "configuration_problem");
            }
        }
    }

    /// What is left to compare, which is compared with what is served, and how that came out is logged.
    pub(super) fn compare(found: Found, snapshot: &Snapshot, settings: &ServerSettings) {
        let from = found.head.clone();
        let changes = LastGood::load(found).and_then(|kept| changes(&kept, snapshot, settings));
        let basis = match changes {
            Ok(changes) => Basis::Changed { from, changes },
            Err(why) => Basis::FilesAlone(why),
        };
        basis.log(snapshot);
    }

    /// Why the files are not served, if they are not.
    pub(super) fn degraded(&self) -> Option<&Degraded> {
        match self {
            Basis::LastGood(degraded) => Some(degraded),
            Basis::Files | Basis::FilesAlone(_) | Basis::Changed { .. } => None,
        }
    }
}
