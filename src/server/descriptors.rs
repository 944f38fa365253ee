//! The limit on open files, and whose they are.
//!
//! Running out of descriptors is survived, but it is the control socket that would run out with the
//! MTA's connections. So the soft limit is raised to the hard one, and what is needed for ourselves
//! is kept back. The thread of the connections has a table of descriptors to itself: however many
//! connections there are, a reload can open its files.

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors for ourselves: listeners, signals, log, the control socket's connections, and the files of a
/// reload where they have no table of their own.
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

/// Gives the calling thread a table of descriptors of its own, with copies of those that are open.
/// What is opened from then on is its alone, and the kernel need not guard it against other threads
/// in each call (fs/file.c: __fget_light), which a lookup makes two of.
///
/// For a thread with listeners to call before it has them: the other threads would keep copies.
pub(super) fn have_own_table() {
    if let Err(error) = unshare(CloneFlags::CLONE_FILES) {
        // The table is shared then, as everybody's is.
        tracing::debug!(%error, "descriptors_shared");
    }
}
