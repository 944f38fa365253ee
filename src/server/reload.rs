//! Loading and reloading: one thread, all or nothing.
//!
//! A reload loads the files, compares with what is served, publishes the files of trust anchors,
//! and swaps one pointer. Until the swap nothing has changed; whatever fails, panics included,
//! leaves the generation that is served. No request waits for any of it.
//!
//! Of SIGHUPs that arrive before a load begins, any number is one: the load reads what is written
//! by then. `connectord reload` waits for its own load and is told what came of it.
//!
//! Logs each load with generation and digest, each change, each problem. A change that weakens is
//! a warning, and with `weaker_reload = "refuse"` it fails the reload, unless `connectord reload
//! --accept-weaker` asked for it. Settings that only a restart can change are named.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::last_good::{LastGood, State};
use super::last_reload::LastReload;
use super::loader::{Failure, Loaded, Loader};
use super::outcome::{
    self, Outcome, failed, is_refused, log_changes, told, warn_of, weakened, weakening, what_waits,
};
use super::publish::{self, PublishError};
use super::service::{Current, Service};
use super::start::{self, Basis, IS_LAST_GOOD, IS_UNACCEPTED, Rest, Start, unaccepted};
use super::status::{connectors, status_line};
use super::systemd;
use crate::config::{Head, Listen, ServerSettings};
use crate::snapshot::Snapshot;
use crate::snapshot::diff::Change;

/// How long the loading thread waits for requests that still use the old generation, so that it is
/// this thread that frees it. A request takes microseconds.
const RELEASE: Duration = Duration::from_secs(1);

/// What the loading thread is asked.
enum Ask {
    /// Reload, for a signal.
    Signal,
    /// Reload, and tell.
    Command { accept_weaker: bool, told: oneshot::Sender<Outcome> },
    /// Do what is left to do of the start, now that it is served.
    Finish,
}

/// The way to the loading thread, and what it last did.
pub(super) struct Reloads {
    asks: Mutex<mpsc::Sender<Ask>>,
    signalled: AtomicBool,
    last: Mutex<LastReload>,
    loaded_at: Mutex<Timestamp>,
    last_good: Mutex<State>,
}

/// The loading thread before there is anything to serve.
pub(super) struct Loading {
    begin: mpsc::Sender<(Arc<Service>, Arc<Reloads>)>,
    begun: mpsc::Receiver<()>,
    asks: mpsc::Sender<Ask>,
    thread: thread::JoinHandle<()>,
}

impl Loading {
    /// Starts the thread and loads generation 1: what a start serves.
    pub(super) fn start(
        mut loader: Loader,
        mut last_good: LastGood,
    ) -> io::Result<(Loading, Result<Start, Failure>)> {
        let (first, loaded) = mpsc::channel();
        let (begin, service) = mpsc::channel::<(Arc<Service>, Arc<Reloads>)>();
        let (may_answer, begun) = mpsc::channel();
        let (asks, asked) = mpsc::channel();
        let work = move || {
            // Whoever waits for it has gone only if the process ends.
            let mut start = start::decide(load(&mut loader, 1), &last_good);
            let listen = start.as_ref().map(|start| start.loaded.listen.clone()).unwrap_or_default();
            let rest = start.as_mut().map(Start::rest).unwrap_or_default();
            let unaccepted = start.as_ref().ok().and_then(|start| start.basis.unaccepted().cloned());
            if first.send(start).is_err() {
                return;
            }
            if let Ok((service, reloads)) = service.recv() {
                if let Some(files) = &rest.unkept {
                    last_good.make_way(files.head());
                }
                // Whoever waits for it has gone only if the process ends.
                let _ = may_answer.send(());
                let current = service.current.load_full();
                let [published, before] = [publish::paths(&current.snapshot), BTreeSet::new()];
                let started = current.settings.clone();
                drop(current);
                let reloader = Reloader {
                    loader,
                    service,
                    reloads,
                    started,
                    listen,
                    published,
                    before,
                    last_good,
                    rest,
                    unaccepted,
                };
                reloader.run(&asked);
            }
        };
        let thread = thread::Builder::new().name("load".to_owned()).spawn(work)?;
        let loaded = loaded.recv().map_err(|_| io::Error::other("the loading thread ended"))?;
        Ok((Loading { begin, begun, asks, thread }, loaded))
    }

    /// Lets the thread reload for a service. `unpublished` is why replies of its first generation
    /// name files that smtp(8) does not find.
    pub(super) fn serve(
        self,
        service: &Arc<Service>,
        basis: &Basis,
        unpublished: Option<PublishError>,
    ) -> (Arc<Reloads>, thread::JoinHandle<()>) {
        let now = Timestamp::now();
        let mut problems = Vec::new();
        let mut last_good = State::default();
        if let Some(degraded) = basis.degraded() {
            problems.extend(degraded.problems.iter().cloned());
            let at = degraded.at.to_string();
            last_good = match basis.unaccepted() {
                None => State { served: true, kept: true, at, ..last_good },
                Some(_) => {
                    let problem = "somebody has yet to accept it".to_owned();
                    State { unaccepted: true, at, problem, ..last_good }
                }
            };
        }
        problems.extend(unpublished.map(|error| Failure::from(&error).problems).unwrap_or_default());
        let reloads = Arc::new(Reloads {
            asks: Mutex::new(self.asks),
            signalled: AtomicBool::new(false),
            last: Mutex::new(LastReload { at: now, ok: problems.is_empty(), problems }),
            loaded_at: Mutex::new(now),
            last_good: Mutex::new(last_good),
        });
        // Refused only if the thread has ended, which is noticed by whoever watches it.
        let _ = self.begin.send((Arc::clone(service), Arc::clone(&reloads)));
        // Before anything is answered, nothing else may count as what was served last.
        let _ = self.begun.recv();
        (reloads, self.thread)
    }
}

impl Reloads {
    /// Reloads for a signal, unless a load for one is about to begin anyway.
    pub(super) fn signal(&self) {
        if !self.signalled.swap(true, Ordering::AcqRel) {
            self.ask(Ask::Signal);
        }
    }

    /// Reloads, and says what came of it; none if the daemon is stopping.
    pub(super) async fn command(&self, accept_weaker: bool) -> Option<Outcome> {
        let (told, outcome) = oneshot::channel();
        self.ask(Ask::Command { accept_weaker, told });
        outcome.await.ok()
    }

    /// Does what is left to do of the start.
    pub(super) fn finish(&self) {
        self.ask(Ask::Finish);
    }

    fn ask(&self, ask: Ask) {
        // The thread is gone only when the daemon ends.
        let _ = self.asks.lock().unwrap_or_else(PoisonError::into_inner).send(ask);
    }

    /// The last load.
    pub(super) fn last(&self) -> LastReload {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the generation that is served was loaded.
    pub(super) fn loaded_at(&self) -> Timestamp {
        *self.loaded_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept for the next start.
    pub(super) fn last_good(&self) -> State {
        self.last_good.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
impl Reloads {
    /// For tests: nobody ever reloads.
    pub(super) fn idle() -> Reloads {
        let now = Timestamp::UNIX_EPOCH;
        Reloads {
            asks: Mutex::new(mpsc::channel().0),
            signalled: AtomicBool::new(false),
            last: Mutex::new(LastReload { at: now, ok: true, problems: Vec::new() }),
            loaded_at: Mutex::new(now),
            last_good: Mutex::default(),
        }
    }
}

/// Calls the loader; a panic in it is a failure like others.
fn load(loader: &mut Loader, generation: u64) -> Result<Loaded, Failure> {
    catch_unwind(AssertUnwindSafe(|| loader(generation))).unwrap_or_else(|_| Err(Failure::panicked()))
}

/// The loading thread once there is something to serve.
struct Reloader {
    loader: Loader,
    service: Arc<Service>,
    reloads: Arc<Reloads>,
    /// The settings and listeners of the start: some of them stay until the next.
    started: ServerSettings,
    listen: Vec<Listen>,
    /// Files of the generation that is served.
    published: BTreeSet<PathBuf>,
    /// Files of the one before it.
    before: BTreeSet<PathBuf>,
    last_good: LastGood,
    /// What is left to do for the generation that is served.
    rest: Rest,
    /// What is served has yet to be accepted by somebody; what it may be weaker than.
    unaccepted: Option<Head>,
}

impl Reloader {
    fn run(mut self, asked: &mpsc::Receiver<Ask>) {
        while let Ok(ask) = asked.recv() {
            // Of the start, whatever came first: a reload may not cover up what it changed.
            self.finish();
            // Also for a command: its load reads what a signal before it wanted read.
            let signalled = || self.reloads.signalled.swap(false, Ordering::AcqRel);
            match ask {
                Ask::Finish => {}
                Ask::Signal => {
                    // Otherwise a command took care of it.
                    if signalled() {
                        self.reload(false);
                    }
                }
                Ask::Command { accept_weaker, told } => {
                    signalled();
                    // Whoever asked may have gone.
                    let _ = told.send(self.reload(accept_weaker));
                }
            }
        }
    }

    fn reload(&mut self, accept_weaker: bool) -> Outcome {
        systemd::reloading();
        let outcome = self.attempt(accept_weaker);
        let last = LastReload { at: Timestamp::now(), ok: outcome.ok, problems: outcome.problems.clone() };
        *self.reloads.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        let note = match (outcome.ok, &self.unaccepted) {
            (false, Some(_)) => IS_UNACCEPTED,
            (false, None) if self.reloads.last_good().served => IS_LAST_GOOD,
            (true, _) | (false, None) => "",
        };
        let line = status_line(&self.service.current.load().snapshot, note);
        systemd::ready(&if outcome.ok { line } else { format!("{line}; the last reload failed") });
        self.finish();
        outcome
    }

    /// Compares what is served, if that has yet to be done, and keeps it for the next start. Answers
    /// do not wait for it, `connectord reload` does.
    fn finish(&mut self) {
        let Rest { uncompared, unkept } = std::mem::take(&mut self.rest);
        if let Some(found) = uncompared {
            let current = self.service.current.load_full();
            Basis::compare(found, &current.snapshot, &current.settings);
        }
        if let Some(files) = unkept {
            // Later generations wait for files that are being written.
            let (loader, next) =
                (&mut self.loader, self.service.current.load().snapshot.generation().saturating_add(1));
            let still_the_same = || {
                let again = load(loader, next).ok().and_then(|loaded| loaded.files);
                again.is_some_and(|again| again.head().is_of_the_same(files.head()))
            };
            let state = self.last_good.keep(&files, still_the_same);
            *self.reloads.last_good.lock().unwrap_or_else(PoisonError::into_inner) = state;
        }
    }

    fn attempt(&mut self, accept_weaker: bool) -> Outcome {
        let old = self.service.current.load_full();
        let generation = old.snapshot.generation();
        let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(&old, accept_weaker)));
        let prepared = prepared.unwrap_or_else(|_| Err(failed(generation, Failure::panicked(), Vec::new())));
        let (mut loaded, changes) = match prepared {
            Ok(prepared) => prepared,
            Err(outcome) => return outcome,
        };
        if let Some(files) = &loaded.files {
            self.last_good.make_way(files.head());
        }
        self.unaccepted = None;
        let new = Arc::new(Current::new(loaded.snapshot, loaded.settings));
        self.service.current.store(Arc::clone(&new));
        self.service.counters.settle(&old.snapshot, &old.tally);
        self.rest.unkept = loaded.files.take();
        *self.reloads.loaded_at.lock().unwrap_or_else(PoisonError::into_inner) = Timestamp::now();
        let snapshot = &new.snapshot;
        let generation = snapshot.generation();
        tracing::info!(
            generation,
            sha256 = snapshot.sha256(),
            connectors = connectors(snapshot),
            changes = changes.len(),
            weakened = weakened(&changes),
            "reloaded"
        );
        log_changes(&changes);
        warn_of(&loaded.warnings);
        let mut changes = told(changes);
        changes.extend(what_waits(&self.started, &new.settings, loaded.listen != self.listen));
        self.retire(&new.snapshot);
        self.release(old);
        self.service.counters.keep(&new.snapshot);
        Outcome { ok: true, refused: false, internal: false, generation, changes, problems: Vec::new() }
    }

    /// Everything before the swap: nothing that is served has changed if it fails.
    fn prepare(&mut self, old: &Current, accept_weaker: bool) -> Result<(Loaded, Vec<Change>), Outcome> {
        let generation = old.snapshot.generation();
        let loaded = load(&mut self.loader, generation.saturating_add(1))
            .map_err(|failure| failed(generation, failure, Vec::new()))?;
        let changes = outcome::changes((&old.snapshot, &old.settings), (&loaded.snapshot, &loaded.settings));
        let weakened = weakened(&changes);
        let refusal = if self.has_yet_to_be_accepted(&loaded) {
            Some(unaccepted("nobody has accepted them yet"))
        } else {
            is_refused(&old.settings, &changes).then(|| weakening(weakened))
        };
        if let Some(problem) = refusal.filter(|_| !accept_weaker) {
            log_changes(&changes);
            tracing::error!(generation, weakened, problem = problem.message, "reload_refused");
            return Err(Outcome {
                ok: false,
                refused: true,
                internal: false,
                generation,
                changes: told(changes),
                problems: vec![problem],
            });
        }
        match publish::publish(&loaded.snapshot) {
            Ok(()) => Ok((loaded, changes)),
            Err(error) => Err(failed(generation, Failure::from(&error), told(changes))),
        }
    }

    /// Whether neither this nor what is served is known not to be weaker than what was served once.
    fn has_yet_to_be_accepted(&self, loaded: &Loaded) -> bool {
        self.unaccepted.as_ref().is_some_and(|head| !loaded.is_of_the_same(head))
    }

    /// Frees a generation here, once no request uses it any more: freeing a million names takes longer
    /// than answering for them.
    fn release(&self, old: Arc<Current>) {
        let deadline = std::time::Instant::now() + RELEASE;
        while Arc::strong_count(&old) > 1 && std::time::Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        // What those counted last is seen after their drop.
        fence(Ordering::Acquire);
        self.service.counters.settle(&old.snapshot, &old.tally);
    }

    /// Removes files of the generation before last that are needed no more.
    fn retire(&mut self, snapshot: &Snapshot) {
        let published = publish::paths(snapshot);
        publish::retire(
            self.before.iter().filter(|path| !published.contains(*path) && !self.published.contains(*path)),
        );
        self.before = std::mem::replace(&mut self.published, published);
    }
}
