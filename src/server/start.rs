//! What a start serves: the files, or the last good configuration in their place.
//!
//! The last good one is served when the files do not load, and when they are weaker than it and it
//! has `weaker_reload = "refuse"`: otherwise a restart could do what a reload may not. In both cases
//! the daemon is degraded until a reload succeeds.
//!
//! That it refuses weaker files counts also when the files cannot be compared with it. If it is
//! there to be served, it is. If it does not load any more there is nothing but the files: they are
//! served, so that mail goes on, the daemon is degraded, and they do not become the last good
//! configuration until somebody has accepted them: `connectord reload --accept-weaker`. So it is
//! with one that was replaced by what was served last: it is served, instead of files that it
//! refuses, only where nothing in it is weaker than they are.
//!
//! Files that differ from the last good one are compared with it, and each change is logged as a
//! reload would. That delays the first answer only where it may decide about it. Files that do not
//! differ are served without a further look at it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;

use super::error::Error;
use super::last_good::{self, Found, LastGood, NotUsed};
use super::loader::{Failure, Loaded, Problem};
use super::outcome::{self, Side, is_refused, log_changes, log_problems, weakened, weakening};
use crate::config::{Files, Head, ServerSettings, WeakerReload};
use crate::snapshot::Snapshot;
use crate::snapshot::diff::Change;

/// What the status line says when the last good configuration is served.
pub(super) const IS_LAST_GOOD: &str = ", DEGRADED: the last good configuration, not the files";

/// What it says when files are served that somebody has yet to accept.
pub(super) const IS_UNACCEPTED: &str = ", DEGRADED: files that may be weaker than what was served";

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
        let unkept = self.loaded.files.take().filter(|_| self.basis.unaccepted().is_none());
        Rest { uncompared: self.uncompared.take(), unkept }
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
        /// It was not what was served last.
        is_replaced: bool,
        /// How.
        changes: Vec<Change>,
    },
    /// The last good configuration.
    LastGood(Degraded),
    /// The files, although that configuration refuses weaker ones: it is not there to be served.
    Unaccepted(Degraded, Head),
}

/// Why not everything is as it should be.
pub(super) struct Degraded {
    /// When the files of the last good configuration were read.
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
            Ok(Some(Found { head, is_replaced, .. })) if loaded.is_of_the_same(&head) => {
                let changed = Basis::Changed { from: head, is_replaced, changes: Vec::new() };
                Start::new(loaded, if is_replaced { changed } else { Basis::Files })
            }
            Ok(Some(found)) => match found.head.weaker_reload() {
                WeakerReload::Refuse => refused_or_served(loaded, found, outcome::changes),
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
                if found.is_replaced {
                    return Err(NotUsed::Replaced);
                }
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

/// What there is between an old one and a new one.
type Compare = fn(Side<'_>, Side<'_>) -> Vec<Change>;

/// What `compare` finds, with a panic in it for a reason.
fn between(compare: Compare, old: Side<'_>, new: Side<'_>) -> Result<Vec<Change>, NotUsed> {
    catch_unwind(AssertUnwindSafe(|| compare(old, new))).map_err(|_| NotUsed::Internal)
}

/// The files, unless the last good configuration refuses them.
fn refused_or_served(loaded: Loaded, found: Found, compare: Compare) -> Start {
    let (from, is_replaced) = (found.head.clone(), found.is_replaced);
    let at = from.at();
    let kept = match LastGood::load(found) {
        Ok(kept) => kept,
        Err(why) => {
            let problems = vec![unaccepted(&format!("there is nothing to compare them with: {why}"))];
            let degraded = Degraded { at, problems, changes: None };
            return Start::new(loaded, Basis::Unaccepted(degraded, from));
        }
    };
    let compared = |old: &Loaded, new: &Loaded| {
        between(compare, (&old.snapshot, &old.settings), (&new.snapshot, &new.settings))
    };
    let (problem, changes) = match compared(&kept, &loaded) {
        Ok(changes) if !is_refused(&kept.settings, &changes) => {
            return Start::new(loaded, Basis::Changed { from, is_replaced, changes });
        }
        Ok(changes) => (weakening(weakened(&changes)), Some(changes)),
        Err(why) => (uncompared(&why), None),
    };
    // What was served after it was replaced may have been stronger. It is certainly the better one
    // where the files are nowhere stronger.
    let is_weaker = || compared(&loaded, &kept).map_or(true, |changes| weakened(&changes) > 0);
    if is_replaced && is_weaker() {
        let problems = vec![unaccepted(&problem.message)];
        return Start::new(loaded, Basis::Unaccepted(Degraded { at, problems, changes }, from));
    }
    Start::new(kept, Basis::LastGood(Degraded { at, problems: vec![problem], changes }))
}

/// The problem with files that are served because nothing else can be.
pub(super) fn unaccepted(why: &str) -> Problem {
    Problem {
        message: format!("the files are served, although weaker ones are to be refused; {why}"),
        help: "see that the files demand what was agreed, then: connectord reload --accept-weaker; until then they are not kept, and no other reload is accepted".to_owned(),
        ..Problem::default()
    }
}

/// The problem with files of which nobody knows whether they are weaker.
fn uncompared(why: &NotUsed) -> Problem {
    Problem {
        message: format!("refused, because they cannot be compared with the last good configuration: {why}"),
        help: "the log says where it failed, please report it; to serve the files all the same, see that they demand what was agreed, move last-good out of the state directory, and restart".to_owned(),
        ..Problem::default()
    }
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
            Basis::Changed { from, is_replaced, changes } => {
                if *is_replaced {
                    let help = "what was served last was not kept, so that changes since then cannot be told; see that the files demand what was agreed";
                    tracing::warn!(reason = %NotUsed::Replaced, help, "last_good_replaced");
                }
                let (last_good, at) = (from.sha256(), from.at());
                let (count, weakened) = (changes.len(), weakened(changes));
                tracing::info!(last_good, %at, changes = count, weakened, "changed_since_last_good");
                log_changes(changes);
            }
            Basis::LastGood(Degraded { at, problems, changes })
            | Basis::Unaccepted(Degraded { at, problems, changes }, _) => {
                log_changes(changes.as_deref().unwrap_or_default());
                let help = if self.unaccepted().is_some() {
                    "what is served are the files, and nobody can tell whether they are weaker; see that they demand what was agreed, then: connectord reload --accept-weaker"
                } else {
                    "what is served is the last good configuration; mend the files, then: connectord reload"
                };
                let (generation, sha256) = (served.generation(), served.sha256());
                tracing::error!(generation, sha256, %at, problems = problems.len(), help, "degraded");
                log_problems(problems, "configuration_problem");
            }
        }
    }

    /// What is left to compare, which is compared with what is served, and how that came out is logged.
    pub(super) fn compare(found: Found, snapshot: &Snapshot, settings: &ServerSettings) {
        let (from, is_replaced) = (found.head.clone(), found.is_replaced);
        let changes = LastGood::load(found).and_then(|kept| {
            between(outcome::changes, (&kept.snapshot, &kept.settings), (snapshot, settings))
        });
        let basis = match changes {
            Ok(changes) => Basis::Changed { from, is_replaced, changes },
            Err(why) => Basis::FilesAlone(why),
        };
        basis.log(snapshot);
    }

    /// What is not as it should be, if anything.
    pub(super) fn degraded(&self) -> Option<&Degraded> {
        match self {
            Basis::LastGood(degraded) | Basis::Unaccepted(degraded, _) => Some(degraded),
            Basis::Files | Basis::FilesAlone(_) | Basis::Changed { .. } => None,
        }
    }

    /// What the files that are served should not be weaker than, if somebody has yet to accept them.
    pub(super) fn unaccepted(&self) -> Option<&Head> {
        match self {
            Basis::Unaccepted(_, head) => Some(head),
            Basis::Files | Basis::FilesAlone(_) | Basis::Changed { .. } | Basis::LastGood(_) => None,
        }
    }

    /// Why it cannot be served, with why it would have been.
    pub(super) fn explain(&self, error: Error) -> Error {
        let Basis::LastGood(Degraded { problems, .. }) = self else {
            return error;
        };
        let first = problems.first().map(Problem::to_string).unwrap_or_default();
        let problems = match problems.len() {
            0 | 1 => first,
            more => format!("{first} (and {} more)", more.saturating_sub(1)),
        };
        Error::InPlaceOfFiles { error: Box::new(error), problems }
    }

    /// What of it the status line says.
    pub(super) fn note(&self) -> &'static str {
        match self {
            Basis::LastGood(_) => IS_LAST_GOOD,
            Basis::Unaccepted(..) => IS_UNACCEPTED,
            Basis::Files | Basis::FilesAlone(_) | Basis::Changed { .. } => "",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use std::fs::{self, OpenOptions, Permissions};
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

    use super::super::loader;
    use super::*;

    /// Files with this list, loaded, and a last good configuration that refuses weaker ones.
    fn loaded_and_found(list: &str) -> (Loaded, Found) {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("connectord.toml");
        let load = |list: &str| {
            let text = format!(
                "version = 1\nserver.weaker_reload = \"refuse\"\n[[outbound]]\nname = \"a\"\nmode = \"enforce\"\ntls = \"encrypt\"\ndomains = {list}\n"
            );
            fs::write(&main, text).unwrap();
            fs::set_permissions(&main, Permissions::from_mode(0o644)).unwrap();
            loader::of_file(main.clone())(1).unwrap_or_else(|failure| panic!("{}", failure.text))
        };
        let kept = load(r#"["a.example"]"#);
        let path = directory.path().join("last-good");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
        kept.files.unwrap().write(&mut file).unwrap();
        let loaded = load(list);
        let found = LastGood::new(directory.path().to_owned(), &main).find().unwrap().unwrap();
        (loaded, found)
    }

    /// Even files that are stronger: nobody can tell.
    const STRONGER: &str = r#"["a.example", "b.example"]"#;

    #[test]
    fn f13_files_that_cannot_be_compared_are_not_served_in_place_of_one_that_refuses() {
        let (loaded, found) = loaded_and_found(STRONGER);
        let (kept, of_files) = (found.head.sha256().to_owned(), loaded.snapshot.sha256().to_owned());
        let start = refused_or_served(loaded, found, |_, _| panic!("as the test wants it"));
        assert_eq!((start.loaded.snapshot.sha256(), kept == of_files), (kept.as_str(), false));
        assert!(matches!(start.basis, Basis::LastGood(_)));
        let problem = &start.basis.degraded().unwrap().problems[0];
        assert!(problem.message.contains("cannot be compared") && problem.help.contains("restart"));
    }

    #[test]
    fn f13_nor_is_one_that_was_replaced() {
        let (loaded, mut found) = loaded_and_found(STRONGER);
        found.is_replaced = true;
        let of_files = loaded.snapshot.sha256().to_owned();
        let mut start = refused_or_served(loaded, found, |_, _| panic!("as the test wants it"));
        assert_eq!(start.loaded.snapshot.sha256(), of_files);
        assert!(start.basis.unaccepted().is_some());
        assert!(start.rest().unkept.is_none(), "what nobody accepted is not kept");
    }

    #[test]
    fn files_that_are_compared_and_not_weaker_are_served_and_kept() {
        for is_replaced in [false, true] {
            let (loaded, mut found) = loaded_and_found(STRONGER);
            found.is_replaced = is_replaced;
            let mut start = refused_or_served(loaded, found, outcome::changes);
            assert!(start.basis.degraded().is_none() && start.rest().unkept.is_some());
        }
    }
}
