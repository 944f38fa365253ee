//! The network of a proof: two namespaces, and a cable between them.
//!
//! In the one is the copy of the MTA, with the addresses of this machine; in the other every address of the world is a
//! mail server. Neither has a name, nor a way out; they live as long as a socket or a process in them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::process::Stdio;
use std::thread;

use nix::ifaddrs::getifaddrs;
use nix::sched::{CloneFlags, setns, unshare};

use super::program::program;

/// The ends of the cable: of the address block for tests between networks (RFC 2544 appendix C.2.2).
pub const OURS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Where the DNS of a proof answers too.
pub const WORLD: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// A network namespace.
pub struct Namespace(File);

impl Namespace {
    /// A new one.
    ///
    /// # Errors
    /// What the system says: it takes root.
    pub fn new() -> io::Result<Namespace> {
        on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(Namespace(File::open("/proc/thread-self/ns/net")?))
        })?
    }

    /// Does something on a thread that is in this namespace: sockets made there stay there.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        on_a_thread(|| {
            setns(&self.0, CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        })?
    }

    /// A path at which this process's children can open it while this value lives.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// A thread of its own, because a namespace is entered for good.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work)?;
        thread.join().map_err(|_| io::Error::other("a thread of the proof has failed"))
    })
}

/// The addresses of this machine, without those of the loopback. Mail of a proof goes over IPv4 alone.
///
/// # Errors
/// What the system says.
pub fn own_addresses() -> io::Result<BTreeSet<Ipv4Addr>> {
    let all = getifaddrs()?.filter_map(|interface| interface.address?.as_sockaddr_in().map(|own| own.ip()));
    Ok(all.filter(|address| !address.is_loopback()).collect())
}

/// Connects the network of this thread with another. Settings that name an address of this machine find it.
///
/// # Errors
/// ip(8) is missing, or fails.
pub fn connect(world: &Namespace, own: &BTreeSet<Ipv4Addr>) -> Result<(), Trouble> {
    let mut here = format!(
        "link add cable type veth peer name cable netns {}\n\
         link set lo up\n\
         link set cable up\n\
         addr add {OURS}/30 dev cable\n\
         route add default via {WORLD}\n",
        world.path()
    );
    // Every address is local there, but for those of this side: those of main come after the table `local`.
    let mut there = format!(
        "link set lo up\n\
         link set cable up\n\
         addr add {WORLD}/30 dev cable\n\
         route add local default dev lo table main\n"
    );
    for address in own {
        here.push_str(&format!("addr add {address}/32 dev lo\n"));
        there.push_str(&format!("route add {address}/32 dev cable\n"));
    }
    ip(&here)?;
    world.enter(|| ip(&there)).map_err(Trouble::Run)?
}

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// ip(8) cannot be run.
    #[error("ip: {0}; it is in the package iproute2, and wanted in /usr/sbin, /usr/bin, /sbin or /bin")]
    Run(io::Error),
    /// It failed.
    #[error("ip: {}", said.escape_debug())]
    Failed {
        /// What it said.
        said: String,
    },
}

/// Runs lines of ip-batch(8) in the network of this thread.
fn ip(batch: &str) -> Result<(), Trouble> {
    let mut child = program("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Trouble::Run)?;
    if let Some(mut stdin) = child.stdin.take() {
        // What it did not read it says why.
        let _ = stdin.write_all(batch.as_bytes());
    }
    let output = child.wait_with_output().map_err(Trouble::Run)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).chars().take(300).collect();
    Err(Trouble::Failed { said })
}
