//! Two network namespaces and the cable between them.
//!
//! They have no names, so parallel labs cannot collide and nothing is left behind: a namespace
//! lives as long as a file, a socket or a process in it.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// Where our Postfix is.
pub const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub const OURS_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// The partner's addresses end in these numbers, in both families.
const PARTNER_HOSTS: std::ops::RangeInclusive<u8> = 10..=99;

/// The partner's address number `host`.
pub fn partner_address(host: u8) -> IpAddr {
    assert!(PARTNER_HOSTS.contains(&host), "{host}");
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, host))
}

pub fn partner_address_v6(host: u8) -> IpAddr {
    assert!(PARTNER_HOSTS.contains(&host), "{host}");
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host)))
}

/// A network namespace.
pub struct Namespace(File);

impl Namespace {
    fn new() -> Namespace {
        let file = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Namespace(file.join().unwrap())
    }

    /// Does `work` on a thread that is in this namespace. Sockets made there stay there,
    /// processes started there too.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// A path at which other programs can open it while this value lives.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Runs the commands of ip-batch(8) here.
    fn ip(&self, batch: &str) {
        let output = self.enter(|| {
            let mut ip = Command::new("ip")
                .args(["-batch", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            ip.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
            ip.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "ip: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Our side and the partner's.
pub struct Network {
    pub ours: Namespace,
    pub partner: Namespace,
}

impl Network {
    pub fn new() -> Network {
        let ours = Namespace::new();
        let partner = Namespace::new();
        // nodad: an IPv6 address is usable at once.
        ours.ip(&format!(
            "link add cable type veth peer name cable netns {}\n\
             link set lo up\n\
             addr add {OURS}/24 dev cable\n\
             addr add {OURS_V6}/64 dev cable nodad\n\
             link set cable up\n",
            partner.path()
        ));
        let addresses: String = PARTNER_HOSTS
            .map(|host| {
                let (v4, v6) = (partner_address(host), partner_address_v6(host));
                format!("addr add {v4}/24 dev cable\naddr add {v6}/64 dev cable nodad\n")
            })
            .collect();
        partner.ip(&format!("link set lo up\n{addresses}link set cable up\n"));
        Network { ours, partner }
    }
}
