//! How many connections the limit on open files leaves room for.
//!
//! Running out of descriptors is survived, but it is the control socket and the reload that would
//! run out with the MTA's connections. So the soft limit is raised to the hard one, and what is
//! needed for ourselves is kept back.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors for ourselves: listeners, signals, log, the files of a reload, the control socket's
/// connections.
const RESERVED: u64 = 48;

/// Raises the soft limit, and says how many of the wanted connections there is room for: at least one.
pub(super) fn room_for(wanted: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return wanted;
    };
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(RESERVED);
    let raised = needed.min(hard);
    let limit =
        if soft < raised && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft };
    let room = usize::try_from(limit.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
    wanted.min(room).max(1)
}
