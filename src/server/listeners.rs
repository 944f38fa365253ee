//! All listeners together: opened, watched, closed.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::accept;
use super::activation::Listener;
use super::control::{self, Control};
use super::error::Error;
use super::exim::Exim;
use super::metrics::{self, Metrics, Scribe};
use super::policy::Policy;
use super::pool::Pool;
use super::reload::Reloads;
use super::service::Service;
use super::socket::Mark;
use super::socketmap::Socketmap;
use super::status::{Place, Sources};
use crate::config::ListenProtocol;

/// The listeners of a daemon that serves.
pub(super) struct Listeners {
    loops: JoinSet<io::Result<()>>,
    clocks: JoinSet<Infallible>,
    stop: watch::Sender<bool>,
    pools: [Arc<Pool>; 3],
    marks: Vec<Mark>,
}

impl Listeners {
    /// Starts a loop for each listener. MTAs share `seats`; the control socket has its own, and metrics theirs.
    pub(super) fn start(
        open: Vec<Listener>,
        service: &Arc<Service>,
        reloads: &Arc<Reloads>,
        scribe: Scribe,
        seats: usize,
    ) -> Listeners {
        let [mta, own, collectors] =
            [seats, control::SEATS, metrics::SEATS].map(|seats| Pool::new(seats, &service.limits));
        let place =
            |listener: &Listener| Place { protocol: listener.protocol.word(), path: listener.place.clone() };
        // Mail does not wait for metrics, so a socket of theirs that is gone does not end the daemon.
        let watched = open.iter().filter(|listener| listener.protocol != ListenProtocol::Metrics);
        let marks =
            watched.filter_map(|listener| Some(listener.socket.file.as_ref()?.mark().clone())).collect();
        let sources = Arc::new(Sources {
            service: Arc::clone(service),
            reloads: Arc::clone(reloads),
            pool: Arc::clone(&mta),
            seats,
            started: Timestamp::now(),
            places: open.iter().map(place).collect(),
        });
        let scribe = Arc::new(scribe);
        let (stop, stopped) = watch::channel(false);
        let mut clocks = JoinSet::new();
        for pool in [&mta, &own, &collectors] {
            clocks.spawn(Arc::clone(pool).keep_time());
        }
        let mut loops = JoinSet::new();
        for listener in open {
            let (protocol, path) = (listener.protocol, listener.place.as_str());
            tracing::info!(protocol = protocol.word(), path, inherited = listener.is_inherited, "listening");
            let (mta, service, stopped) = (Arc::clone(&mta), Arc::clone(service), stopped.clone());
            match protocol {
                ListenProtocol::Socketmap => {
                    loops.spawn(accept::serve(
                        listener,
                        Socketmap(Arc::clone(&service)),
                        mta,
                        service,
                        stopped,
                    ));
                }
                ListenProtocol::Policy => {
                    loops.spawn(accept::serve(listener, Policy(Arc::clone(&service)), mta, service, stopped));
                }
                ListenProtocol::Exim => {
                    loops.spawn(accept::serve(listener, Exim(Arc::clone(&service)), mta, service, stopped));
                }
                ListenProtocol::Control => {
                    let control = Control { sources: Arc::clone(&sources), scribe: Arc::clone(&scribe) };
                    loops.spawn(accept::serve(listener, control, Arc::clone(&own), service, stopped));
                }
                ListenProtocol::Metrics => {
                    let metrics = Metrics { sources: Arc::clone(&sources), scribe: Arc::clone(&scribe) };
                    let serving = accept::serve(
                        listener,
                        metrics,
                        Arc::clone(&collectors),
                        Arc::clone(&service),
                        stopped.clone(),
                    );
                    loops.spawn(serve_metrics(serving, service, stopped));
                }
            }
        }
        Listeners { loops, clocks, stop, pools: [mta, own, collectors], marks }
    }

    /// Waits until serving cannot go on: a listener fails, or a socket of ours is not there any more.
    pub(super) async fn fail(&mut self, watch: Duration) -> Error {
        let mut ticks = tokio::time::interval(watch);
        loop {
            tokio::select! {
                Some(ended) = self.loops.join_next() => return Error::from_loop(ended),
                Some(_) = self.clocks.join_next() => return Error::TaskEnded("the clock of connections"),
                _ = ticks.tick() => {
                    if let Some(gone) = self.marks.iter().find(|mark| !mark.is_there()) {
                        return Error::SocketGone(gone.path().to_owned());
                    }
                }
            }
        }
    }

    /// Stops accepting, lets connections answer what they were asked, and closes them. Who has come and not
    /// asked yet has `newcomers` for that.
    pub(super) async fn close(mut self, newcomers: Duration) {
        // The loops have ended by themselves if nobody receives this.
        let _ = self.stop.send(true);
        self.pools.iter().for_each(|pool| pool.close());
        if timeout(newcomers, self.end()).await.is_err() {
            self.pools.iter().for_each(|pool| pool.shut_down());
            self.end().await;
        }
    }

    /// Waits for the loops.
    async fn end(&mut self) {
        while let Some(ended) = self.loops.join_next().await {
            if !matches!(ended, Ok(Ok(()))) {
                tracing::error!(error = %Error::from_loop(ended), "stopped_early");
            }
        }
    }
}

/// Mail does not wait for metrics: whatever ends their loop is told, and the daemon goes on without it.
async fn serve_metrics(
    serving: impl Future<Output = io::Result<()>> + Send + 'static,
    service: Arc<Service>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut alone = JoinSet::new();
    alone.spawn(serving);
    let ended = alone.join_next().await;
    if *stopped.borrow() {
        return ended.map_or(Ok(()), |ended| ended?);
    }
    match ended {
        Some(Ok(Err(error))) => tracing::error!(%error, "metrics_not_served"),
        // A panic was logged where it happened.
        Some(Err(error)) if error.is_panic() => {
            service.counters.count_panic();
            tracing::error!(%error, "metrics_not_served");
        }
        Some(Ok(Ok(())) | Err(_)) | None => tracing::error!("metrics_not_served"),
    }
    let _ = stopped.wait_for(|stop| *stop).await;
    Ok(())
}

impl Error {
    fn from_loop(ended: Result<io::Result<()>, JoinError>) -> Error {
        match ended {
            Ok(Err(source)) => Error::process("accept connections", source),
            Ok(Ok(())) | Err(_) => Error::TaskEnded("an accept loop"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::Limits;
    use super::*;

    /// What is left of a daemon when a loop of it has ended so.
    async fn ended(work: impl Future<Output = io::Result<()>> + Send + 'static) -> Error {
        let mut loops = JoinSet::new();
        loops.spawn(std::future::pending());
        loops.spawn(work);
        let pools = [1; 3].map(|seats| Pool::new(seats, &Limits::default()));
        let (stop, _) = watch::channel(false);
        let mut listeners = Listeners { loops, clocks: JoinSet::new(), stop, pools, marks: Vec::new() };
        listeners.fail(Duration::from_secs(3600)).await
    }

    #[tokio::test]
    async fn f13_a_loop_of_metrics_ends_alone() {
        let service = Arc::new(Service::empty());
        let (stop, stopped) = watch::channel(false);
        let mut loops = JoinSet::new();
        loops.spawn(serve_metrics(
            async { Err(io::ErrorKind::InvalidInput.into()) },
            Arc::clone(&service),
            stopped.clone(),
        ));
        loops.spawn(serve_metrics(async { panic!("injected") }, Arc::clone(&service), stopped));
        while service.counters.panics() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(loops.try_join_next().is_none(), "the daemon would end");
        stop.send(true).ok();
        assert!(loops.join_all().await.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn f13_a_loop_that_panics_ends_the_daemon() {
        let error = ended(async { panic!("injected") }).await;
        assert!(matches!(error, Error::TaskEnded("an accept loop")), "{error}");
        assert_ne!(error.exit_code(), 0);
        let error = ended(async { Ok(()) }).await;
        assert!(matches!(error, Error::TaskEnded(_)), "{error}");
        let error = ended(async { Err(io::ErrorKind::InvalidInput.into()) }).await;
        assert_ne!(error.exit_code(), 0, "{error}");
    }
}
