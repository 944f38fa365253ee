//! What an operator can do about a refusal of the system.

use std::io;

use nix::errno::Errno;

/// To be said after it; nothing where nobody can do anything.
pub fn of(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => {
            "; it takes root with CAP_SYS_ADMIN: a container must be allowed to make namespaces and mounts"
        }
        Some(Errno::ENOENT | Errno::ENOTDIR) => {
            "; it must exist, and not below /run or /dev: these are new in the copy"
        }
        Some(Errno::EROFS) => "; outside of the copy nothing is written, so it must be there before",
        Some(Errno::ENOSPC) => "; all that the copy writes must fit in 256 MB of memory",
        Some(Errno::ENOSYS) => "; the kernel must have namespaces for mounts, networks and PIDs",
        Some(_) | None => "",
    }
}
