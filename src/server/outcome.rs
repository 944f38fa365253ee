//! What became of a reload: what the administrator is told, and what the log says.
//!
//! Changes of what is demanded come from the diff of two snapshots; changes of the daemon's own
//! settings that take evidence or protection away are told beside them.

use serde::Serialize;

use super::loader::{Cause, Failure, Problem};
use crate::config::{ServerSettings, WeakerReload};
use crate::snapshot::Snapshot;
use crate::snapshot::diff::{self, Change, Kind};

/// Problems and changes that are logged one by one; of the others only the number.
const LOGGED: usize = 100;

/// What became of a reload, as `connectord reload` is told.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) ok: bool,
    /// It would have been served, but weakens something.
    pub(super) refused: bool,
    /// The files are good, and something else failed.
    pub(super) internal: bool,
    /// The generation that is served now.
    pub(super) generation: u64,
    pub(super) changes: Vec<Changed>,
    pub(super) problems: Vec<Problem>,
}

/// A change, as the interface gives it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Changed {
    pub(super) connector: String,
    pub(super) change: &'static str,
    pub(super) old: String,
    pub(super) new: String,
}

/// What is compared: what is answered from, and the settings of the daemon.
pub(super) type Side<'a> = (&'a Snapshot, &'a ServerSettings);

/// Everything that an administrator must hear of between an old generation and a new one.
pub(super) fn changes(old: Side<'_>, new: Side<'_>) -> Vec<Change> {
    let mut changes = diff::diff(old.0, new.0);
    changes.extend(settings_changes(old.1, new.1));
    changes
}

/// Changes of the daemon's own settings that an administrator must hear of.
fn settings_changes(old: &ServerSettings, new: &ServerSettings) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut tell = |kind, setting: &str, old: &str, new: &str, weakens| {
        let words = |value: &str| format!("{setting} {value}");
        changes.push(Change {
            connector: "[server]".to_owned(),
            kind,
            old: words(old),
            new: words(new),
            weakens,
        });
    };
    if old.weaker_reload != new.weaker_reload {
        let [before, after] = [old.weaker_reload.word(), new.weaker_reload.word()];
        match new.weaker_reload {
            WeakerReload::Apply => tell(Kind::Weaker, "weaker_reload", before, after, true),
            WeakerReload::Refuse => tell(Kind::Stronger, "weaker_reload", before, after, false),
        }
    }
    if old.decisions != new.decisions {
        // The decision lines are the evidence that agreements were kept.
        tell(Kind::Changed, "decisions", old.decisions.word(), new.decisions.word(), false);
    }
    changes
}

/// How many changes weaken something.
pub(super) fn weakened(changes: &[Change]) -> usize {
    changes.iter().filter(|change| change.weakens).count()
}

/// Whether these changes need somebody's leave. The settings that are served decide: a file cannot
/// allow itself to be weaker.
pub(super) fn is_refused(served: &ServerSettings, changes: &[Change]) -> bool {
    weakened(changes) > 0 && served.weaker_reload == WeakerReload::Refuse
}

/// The problem with files that are refused because they are weaker.
pub(super) fn weakening(weakened: usize) -> Problem {
    Problem {
        message: format!("refused, because it weakens what is demanded; changes that weaken: {weakened}"),
        help: "mend the files, or accept it: connectord reload --accept-weaker".to_owned(),
        ..Problem::default()
    }
}

/// A reload that changed nothing, and why; logged.
pub(super) fn failed(generation: u64, failure: Failure, changes: Vec<Changed>) -> Outcome {
    let Failure { problems, cause, .. } = failure;
    tracing::error!(generation, problems = problems.len(), "reload_failed");
    log_problems(&problems, "reload_problem");
    Outcome { ok: false, refused: false, internal: cause == Cause::Internal, generation, changes, problems }
}

/// Logs what stands in the way, as events of this name.
pub(super) fn log_problems(problems: &[Problem], event: &str) {
    for problem in problems.iter().take(LOGGED) {
        let Problem { file, line, column, message, help } = problem;
        tracing::error!(file, line, column, problem = message, help, "{event}");
    }
}

/// Logs each change; what weakens is a warning.
pub(super) fn log_changes(changes: &[Change]) {
    for change in changes.iter().take(LOGGED) {
        let Change { connector, kind, old, new, weakens } = change;
        let change = kind.word();
        if *weakens {
            tracing::warn!(connector, change, old, new, "reload_change");
        } else {
            tracing::info!(connector, change, old, new, "reload_change");
        }
    }
    if let Some(more) = changes.len().checked_sub(LOGGED).filter(|more| *more > 0) {
        let weakened = changes.iter().skip(LOGGED).filter(|change| change.weakens).count();
        tracing::warn!(more, weakened, "reload_changes_not_shown");
    }
}

/// Changes as the interface gives them.
pub(super) fn told(changes: Vec<Change>) -> Vec<Changed> {
    let told = |change: Change| Changed {
        connector: change.connector,
        change: change.kind.word(),
        old: change.old,
        new: change.new,
    };
    changes.into_iter().map(told).collect()
}

/// Names the settings that are not what they were at the start, in the log and as changes.
pub(super) fn what_waits(started: &ServerSettings, now: &ServerSettings, listen: bool) -> Vec<Changed> {
    let settings = [
        ("listen", listen),
        ("server.max_connections", now.max_connections != started.max_connections),
        ("server.log", now.log != started.log),
        ("server.log_format", now.log_format != started.log_format),
    ];
    let waiting = settings.into_iter().filter(|(_, waits)| *waits).map(|(setting, _)| setting);
    waiting
        .inspect(|setting| tracing::warn!(setting, "restart_needed"))
        .map(|setting| Changed {
            connector: format!("[{setting}]"),
            change: Kind::Changed.word(),
            old: "as it was at the start".to_owned(),
            new: "what is written takes effect at a restart".to_owned(),
        })
        .collect()
}

/// Logs what does not stand in the way.
pub(super) fn warn_of(warnings: &[Problem]) {
    for warning in warnings.iter().take(LOGGED) {
        let Problem { file, line, column, message, help } = warning;
        tracing::warn!(file, line, column, warning = message, help, "configuration_warning");
    }
}
