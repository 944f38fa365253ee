//! The daemon: sockets in, answers out.
//!
//! [`run`] is the order of start and stop. One thread runs every listener and connection; one loads
//! ([`reload`]), with a second one while a long list is read; one writes the log ([`log`]), and one metrics ([`metrics`]). There is one accept loop ([`accept`]), one way
//! in which connections have their turns ([`hall`], [`connection`]) and one in which bytes are answered
//! ([`exchange`]) for all protocols; what differs between them is a dialect each ([`socketmap`],
//! [`policy`], [`exim`], [`control`], [`metrics`]).
//!
//! Promises: no socket is there before there is something to serve, and nobody else's is touched
//! ([`socket`], [`activation`]). A start whose files do not load serves the last good ones, and says
//! so ([`start`], [`last_good`]). What a peer can take is bounded ([`pool`], [`limits`]). A signal to
//! stop lets everything be answered that was asked before.
//!
//! Logs (see [`log`]): `started`, `listening`, `stopping`, `stopped`; the rest where it happens.

mod accept;
mod activation;
mod bell;
mod connection;
pub mod control;
mod counters;
mod descriptors;
mod error;
mod exchange;
mod exim;
mod hall;
pub mod last_good;
mod last_reload;
mod limits;
mod listeners;
pub mod loader;
mod log;
pub mod metrics;
mod outcome;
mod policy;
mod pool;
mod publish;
mod queue;
mod reload;
mod repeats;
mod runtime_dir;
mod service;
mod signals;
mod socket;
mod socketmap;
mod start;
mod status;
mod systemd;
mod traffic;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use nix::sys::stat::{Mode, umask};
use tracing::level_filters::LevelFilter;

use crate::config::{LogFormat, LogLevel, ServerSettings};
use activation::Inherited;
use counters::Counters;
pub use error::Error;
pub use last_good::LastGood;
pub use limits::Limits;
use listeners::Listeners;
use loader::{Loaded, Loader};
use log::Journal;
use metrics::{Results, Scribe};
use reload::{Loading, Reloads};
use repeats::Repeats;
use runtime_dir::RuntimeDir;
use service::{Current, Service};
use signals::{Asked, Signals};
use start::Start;
use traffic::Traffic;

/// New files are for their owner alone, sockets too, until their mode is set.
const UMASK: Mode = Mode::S_IXUSR.union(Mode::S_IRWXG).union(Mode::S_IRWXO);

/// How long the log may take for its last lines at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often is told what was left unsaid of peers.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What the daemon needs to know before it has a configuration.
pub struct Options {
    /// The runtime directory: the lock, and sockets with relative paths. Made if only it is missing.
    pub runtime_dir: PathBuf,
    /// Where generations come from; [`loader::of_file`].
    pub loader: Loader,
    /// What is served when that fails, and compared with when it does not.
    pub last_good: LastGood,
    /// How the results of validations are read, for metrics.
    pub results: Results,
    /// How long anybody may take.
    pub limits: Limits,
}

/// Runs the daemon until SIGTERM or SIGINT. To be called once, before the process has threads: it
/// sets the umask, signal handlers, the panic hook and the place of `tracing`'s events.
///
/// # Errors
/// Why it could not start, or had to stop; the message says what to do.
pub fn run(options: Options) -> Result<(), Error> {
    let signals = Signals::install().map_err(|source| Error::process("install signal handlers", source))?;
    umask(UMASK);
    let inherited = Inherited::take()?;
    let directory = RuntimeDir::claim(&options.runtime_dir)?;
    let loading = Loading::start(options.loader, options.last_good);
    let (loading, start) = loading.map_err(|source| Error::process("start the loading thread", source))?;
    let start = start.map_err(Error::Configuration)?;
    let scribe = Scribe::start(options.results);
    let scribe = scribe.map_err(|source| Error::process("start the thread for metrics", source))?;
    let journal = open_log(&start.loaded.settings)?;
    let outcome = serve(&journal, inherited, &directory, (loading, start), scribe, options.limits, signals);
    match &outcome {
        Ok(()) => tracing::info!("stopped"),
        Err(error) => tracing::error!(%error, "stopped"),
    }
    journal.close(LAST_WORDS);
    outcome.map_err(|error| Error::Logged(Box::new(error)))
}

fn open_log(settings: &ServerSettings) -> Result<Arc<Journal>, Error> {
    let style = log::line::Style {
        json: settings.log_format == LogFormat::Json,
        time: std::env::var_os("JOURNAL_STREAM").is_none(),
    };
    let journal = Journal::start(style, io::stderr());
    let journal = journal.map_err(|source| Error::process("start the log's thread", source))?;
    let level = match settings.log {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    log::events::install(&journal, level);
    log::events::log_panics();
    Ok(journal)
}

fn serve(
    journal: &Arc<Journal>,
    inherited: Inherited,
    directory: &RuntimeDir,
    (loading, start): (Loading, Start),
    scribe: Scribe,
    limits: Limits,
    signals: Signals,
) -> Result<(), Error> {
    let Start { loaded: Loaded { snapshot, settings, listen, warnings, .. }, basis, .. } = start;
    let generation = snapshot.generation();
    let connectors = status::connectors(&snapshot);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        generation,
        sha256 = snapshot.sha256(),
        connectors,
        "started"
    );
    basis.log(&snapshot);
    outcome::warn_of(&warnings);
    // If it fails Postfix defers mail for the connectors that need it; the others are served.
    let published = publish::publish(&snapshot).inspect_err(|error| {
        tracing::error!(%error, "ca_file_not_published");
    });
    let seats = descriptors::room_for(settings.max_connections);
    if seats < settings.max_connections {
        let wanted = settings.max_connections;
        tracing::warn!(wanted, connections = seats, "max_connections_reduced");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|source| Error::process("start the runtime", source))?;
    // The other threads know what wakes this one by now, and need nothing that comes.
    descriptors::have_own_table();
    let listeners = activation::open(&listen, inherited, directory).map_err(|error| basis.explain(error))?;
    activation::tell_unasked(&listeners, &snapshot);
    let status_line = status::status_line(&snapshot, basis.note());
    let service = Arc::new(Service {
        log: settings.log,
        current: ArcSwap::from_pointee(Current::new(snapshot, settings)),
        journal: Arc::clone(journal),
        counters: Counters::default(),
        traffic: Traffic::default(),
        repeats: Repeats::default(),
        limits,
    });
    let (reloads, loader) = loading.serve(&service, &basis, published.err());
    drop(basis);
    runtime.block_on(async {
        let (hangups, stops) =
            signals.listen().map_err(|source| Error::process("listen to signals", source))?;
        let watch = service.limits.watch;
        let mut listeners = Listeners::start(listeners, &service, &reloads, scribe, seats);
        systemd::ready(&status_line);
        reloads.finish();
        let outcome = tokio::select! {
            outcome = stop(stops) => outcome,
            error = reload_on(hangups, &reloads) => Err(error),
            error = listeners.fail(watch) => Err(error),
            error = housekeeping(&service, &loader) => Err(error),
            never = systemd::keep_alive() => never,
        };
        systemd::stopping();
        tracing::info!("stopping");
        listeners.close(service.limits.newcomers).await;
        say_left_over(service.repeats.all_left_over());
        outcome
    })
}

/// Waits for a signal to stop.
async fn stop(mut stops: Asked) -> Result<(), Error> {
    stops.next().await.map_err(|source| Error::process("wait for signals", source))
}

/// Reloads at each SIGHUP.
async fn reload_on(mut hangups: Asked, reloads: &Reloads) -> Error {
    loop {
        match hangups.next().await {
            Ok(()) => reloads.signal(),
            Err(source) => return Error::process("wait for signals", source),
        }
    }
}

fn say_left_over(left_over: Vec<(&'static str, u64)>) {
    for (kind, count) in left_over {
        tracing::warn!(kind, count, "suppressed");
    }
}

/// Says what was left unsaid of peers, and looks whether the loading thread is there.
async fn housekeeping(service: &Service, loader: &JoinHandle<()>) -> Error {
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    loop {
        ticks.tick().await;
        say_left_over(service.repeats.left_over());
        if loader.is_finished() {
            return Error::TaskEnded("the loading thread");
        }
    }
}
