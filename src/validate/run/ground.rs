//! What every visit of a run has in common: whom to ask, whom to trust, and until when.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use nix::unistd::gethostname;
use openssl::error::ErrorStack;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::model::requirement::Anchors as Wanted;
use crate::validate::dns::{self, Dns};
use crate::validate::mta_sts::{self, Absence, Fetcher, Policy};
use crate::validate::options::{Named, Options};
use crate::validate::revocation::{self, Lists};
use crate::validate::trust::{self, Anchors};

/// Connections to partners under way at a time. Ours: it keeps a machine with the usual limit of
/// 1024 descriptors far from it.
pub const MAX_VISITS: usize = 128;

/// Connections to one address under way at a time: many connectors may lead to the same filter.
/// Ours: half of what Postfix's client makes (`default_destination_concurrency_limit`), and far
/// from what its server takes of one client (`smtpd_client_connection_count_limit`).
pub const MAX_VISITS_AT_ONE: usize = 10;

/// Policies of MTA-STS that are fetched at a time; each has a connection of its own.
const MAX_POLICIES: usize = 32;

/// How long one question to the DNS may take.
const QUESTION: Duration = Duration::from_secs(10);

/// How long one step of a session may take. Postfix waits longer for most
/// (`smtp_helo_timeout` 300 s); a server that needs more than this is as good as away.
pub(super) const STEP: Duration = Duration::from_secs(15);

/// How long one visit may take.
pub(super) const VISIT: Duration = Duration::from_secs(40);

/// How long the policy of MTA-STS may take; it is shown, and decides nothing.
const POLICY: Duration = Duration::from_secs(10);

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No resolver.
    #[error("resolvers of the system: {0}")]
    Resolver(String),
    /// None that answers.
    #[error(
        "no resolver in /etc/resolv.conf answers: nothing can be known of a partner, and nothing was tested"
    )]
    Silent,
    /// The TLS library.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
    /// The authorities of the system.
    #[error("the system's authorities: {0}")]
    System(trust::Error),
    /// `--ca-file`.
    #[error("--ca-file {}: {error}", path.display())]
    Anchors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: trust::Error,
    },
    /// `--crl`.
    #[error("--crl {}: {error}", path.display())]
    Revocation {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: revocation::Error,
    },
}

impl Error {
    /// Whether a file that the command line names is to blame.
    pub fn is_of_an_option(&self) -> bool {
        matches!(self, Error::Anchors { .. } | Error::Revocation { .. })
    }
}

/// The ground of a run.
pub struct Ground {
    pub(super) dns: Dns,
    pub(super) fetcher: Fetcher,
    pub(super) lists: Lists,
    pub(super) options: Options,
    pub(super) helo: String,
    /// For connectors without a `ca_file`.
    anchors: Anchors,
    deadline: Instant,
    seats: Semaphore,
    policies: Semaphore,
    seats_at: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// A place among the connections, given back when dropped.
pub(super) struct Seat<'g> {
    _of_all: SemaphorePermit<'g>,
    _at_one: OwnedSemaphorePermit,
}

impl Ground {
    /// With the resolvers and the authorities of the system. The time begins now.
    ///
    /// # Errors
    /// [`Error`] when there is no resolver, or the options name files that are of no use.
    pub fn new(options: Options, now: Timestamp) -> Result<Ground, Error> {
        let limit = |usual: Duration| usual.min(options.timeout);
        let dns = Dns::system(limit(QUESTION)).map_err(|error| Error::Resolver(error.to_string()))?;
        let anchors = match &options.ca_file {
            Some(Named { path, bytes }) => Anchors::authorities(bytes, now)
                .map_err(|error| Error::Anchors { path: path.clone(), error })?,
            None => Anchors::system(now).map_err(Error::System)?,
        };
        let mut lists = Lists::default();
        for Named { path, bytes } in &options.crls {
            lists.add(bytes).map_err(|error| Error::Revocation { path: path.clone(), error })?;
        }
        // What there was to read is read.
        let deadline = Instant::now().checked_add(options.timeout).unwrap_or_else(Instant::now);
        Ok(Ground {
            policies: Semaphore::new(MAX_POLICIES),
            dns,
            fetcher: Fetcher::new(limit(POLICY))?,
            lists,
            helo: options.helo.clone().unwrap_or_else(own_name),
            anchors,
            deadline,
            seats: Semaphore::new(MAX_VISITS),
            seats_at: Mutex::default(),
            options,
        })
    }

    /// Whether anything can be found out.
    ///
    /// # Errors
    /// [`Error::Silent`].
    pub async fn look_round(&self) -> Result<(), Error> {
        if self.dns.answers().await { Ok(()) } else { Err(Error::Silent) }
    }

    /// Whom a connector trusts: its own file, or what all others trust.
    pub(super) fn anchors<'g>(&'g self, own: &'g Option<Anchors>) -> &'g Anchors {
        own.as_ref().unwrap_or(&self.anchors)
    }

    /// Does something before the time is over; `None`: it did not come to its end.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.deadline, work).await.ok()
    }

    /// A place among the connections, to that address and over all; `None` when the time is over.
    pub(super) async fn seat(&self, address: IpAddr) -> Option<Seat<'_>> {
        let seats_at = {
            let mut all = self.seats_at.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(address).or_insert_with(|| Arc::new(Semaphore::new(MAX_VISITS_AT_ONE))).clone()
        };
        // In this order: who waits for a busy address takes no place from others.
        let _at_one = self.in_time(seats_at.acquire_owned()).await?.ok()?;
        let _of_all = self.in_time(self.seats.acquire()).await?.ok()?;
        Some(Seat { _of_all, _at_one })
    }

    /// Looks for the MTA-STS policy of a domain, when it is its turn.
    pub(super) async fn policy(&self, domain: &str) -> Result<Policy, Absence> {
        let look = async {
            let _turn = self.policies.acquire().await.ok();
            mta_sts::look(&self.dns, &self.fetcher, domain).await
        };
        self.in_time(look).await.unwrap_or(Err(Absence::Dns(dns::Error::Timeout)))
    }

    /// When the time is over.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// The trust anchors of a requirement that has a file of its own.
pub(super) fn own_anchors(wanted: &Wanted, now: Timestamp) -> Result<Option<Anchors>, trust::Error> {
    match wanted {
        Wanted::File(file) => Anchors::trust_file(&file.pem, now).map(Some),
        Wanted::Any | Wanted::System => Ok(None),
    }
}

/// The machine's name as Postfix's `myhostname` has it (get_hostname.c, mail_params.c).
fn own_name() -> String {
    let name = gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    match name.as_str() {
        "" => "localhost.localdomain".to_owned(),
        bare if !bare.contains('.') => format!("{bare}.localdomain"),
        _ => name,
    }
}
