//! The thread that writes metrics down: with many connectors that takes as long as thousands of answers, and the results
//! of validations are files. Answers wait for neither.
//!
//! Whoever asks while it is at work gets what is written next, all of them the same: many who ask make no more work than
//! one. To be started before the thread of the connections has descriptors of its own, which it would share with it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Results, Tested, text};
use crate::server::status::Sources;

/// The way to the thread.
pub(in crate::server) struct Scribe(Mutex<mpsc::Sender<Ask>>);

/// What it is asked: to write this down, for them.
struct Ask {
    sources: Arc<Sources>,
    told: oneshot::Sender<Arc<str>>,
}

impl Scribe {
    /// Starts the thread.
    pub(in crate::server) fn start(results: Results) -> io::Result<Scribe> {
        let (asks, asked) = mpsc::channel();
        let mut known = Known { results, of: None };
        thread::Builder::new().name("metrics".to_owned()).spawn(move || known.serve(&asked))?;
        Ok(Scribe(Mutex::new(asks)))
    }

    /// The text as it is now; none if it cannot be written.
    pub(in crate::server) fn text(
        &self,
        sources: &Arc<Sources>,
    ) -> impl Future<Output = Option<Arc<str>>> + Send + 'static {
        let (told, text) = oneshot::channel();
        let ask = Ask { sources: Arc::clone(sources), told };
        // The thread is gone only when the daemon ends.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(ask);
        async { text.await.ok() }
    }
}

/// The results of validations, as they were read last.
struct Known {
    results: Results,
    /// When, of which configuration, and what.
    of: Option<(Instant, String, Option<Vec<Tested>>)>,
}

impl Known {
    fn serve(&mut self, asked: &mpsc::Receiver<Ask>) {
        while let Ok(first) = asked.recv() {
            let asks: Vec<Ask> = std::iter::once(first).chain(asked.try_iter()).collect();
            let Some(Ask { sources, .. }) = asks.first() else { continue };
            // A panic was logged where it happened. Whoever asked is told that there is no text.
            let Ok(text) = catch_unwind(AssertUnwindSafe(|| self.text(sources))) else {
                sources.service.counters.count_panic();
                continue;
            };
            for Ask { told, .. } in asks {
                // Whoever asked may have gone.
                let _ = told.send(Arc::clone(&text));
            }
        }
    }

    fn text(&mut self, sources: &Sources) -> Arc<str> {
        let current = sources.service.current.load_full();
        let sha256 = current.snapshot.sha256();
        let is_of_now = self
            .of
            .as_ref()
            .is_some_and(|(at, of, _)| of == sha256 && at.elapsed() < sources.service.limits.results);
        if !is_of_now {
            let results = (self.results)(&current.snapshot);
            self.of = Some((Instant::now(), sha256.to_owned(), results));
        }
        let results = self.of.as_ref().and_then(|(_, _, results)| results.as_deref());
        text::of(sources, &current, results).into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::server::service::Service;

    /// Asks once.
    async fn asked(scribe: &Scribe, sources: &Arc<Sources>) -> Option<Arc<str>> {
        scribe.text(sources).await
    }

    #[tokio::test]
    async fn results_are_read_once_and_a_panic_is_no_end() {
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reads);
        let results: Results = Box::new(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("injected"),
            _ => None,
        });
        let scribe = Scribe::start(results).unwrap();
        let sources = Arc::new(Sources::of(Service::empty()));
        assert_eq!(asked(&scribe, &sources).await, None);
        for _ in 0..3 {
            let text = asked(&scribe, &sources).await.unwrap();
            assert!(text.contains("\nconnectord_validation_readable 0\n"), "{text}");
            assert!(text.contains("\nconnectord_panics_total 1\n"), "{text}");
        }
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }
}
