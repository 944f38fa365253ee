//! A Debian with Postfix or Exim and a DNS server in a directory, made once by mmdebstrap. Debian
//! does not let the two stand side by side, so each has a root of its own. A host with systemd is another one.
//!
//! It lies under `target/roots`, named by the hash of its recipe, so that another recipe makes
//! another root. It is built beside its place and renamed when complete; who comes while it is
//! being built waits. Labs mount it read-only and may share it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

/// What a root is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    Postfix,
    Exim,
    /// Postfix and systemd: a whole host.
    PostfixHost,
    /// The same with the Exim that Debian installs when it is not asked for another.
    EximHost,
}

/// A Debian release, and the mail server that comes with it.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    pub suite: &'static str,
    pub software: Software,
    /// The first two numbers of the mail server's version.
    pub version: &'static str,
}

pub const POSTFIX_3_7: Release = Release { suite: "bookworm", software: Software::Postfix, version: "3.7" };

pub const POSTFIX_3_10: Release = Release { suite: "trixie", software: Software::Postfix, version: "3.10" };

pub const EXIM_4_96: Release = Release { suite: "bookworm", software: Software::Exim, version: "4.96" };

pub const EXIM_4_98: Release = Release { suite: "trixie", software: Software::Exim, version: "4.98" };

pub const POSTFIX_HOST_12: Release =
    Release { suite: "bookworm", software: Software::PostfixHost, version: "3.7" };

pub const POSTFIX_HOST_13: Release =
    Release { suite: "trixie", software: Software::PostfixHost, version: "3.10" };

pub const EXIM_HOST_12: Release =
    Release { suite: "bookworm", software: Software::EximHost, version: "4.96" };

pub const EXIM_HOST_13: Release = Release { suite: "trixie", software: Software::EximHost, version: "4.98" };

impl Software {
    fn name(self) -> &'static str {
        match self {
            Software::Postfix => "postfix",
            Software::Exim => "exim",
            Software::PostfixHost => "postfix-host",
            Software::EximHost => "exim-host",
        }
    }

    /// The group of its processes.
    fn group(self) -> &'static str {
        match self {
            Software::Postfix | Software::PostfixHost => "postfix",
            Software::Exim | Software::EximHost => "Debian-exim",
        }
    }

    /// What is installed: the one with all lookups of Exim, for DNS in its routers; for `validate`,
    /// which is tested beside Postfix, a resolver that validates, and what signs its zone; for `prove` ip(8).
    fn packages(self) -> &'static str {
        match self {
            Software::Postfix => "--include=postfix,nsd,unbound,ldnsutils,iproute2",
            Software::Exim => "--include=exim4-daemon-heavy,ca-certificates,nsd,iproute2",
            Software::PostfixHost => {
                "--include=systemd,systemd-sysv,dbus,apt,rpm,ca-certificates,nsd,postfix,iproute2"
            }
            Software::EximHost => {
                "--include=systemd,systemd-sysv,dbus,apt,procps,ca-certificates,nsd,exim4-daemon-light,iproute2"
            }
        }
    }
}

/// Programs of this machine that the lab runs; `tests/setup` installs them.
const PROGRAMS: [&str; 8] =
    ["mmdebstrap", "ip", "unshare", "nsenter", "setpriv", "cp", "script", "systemd-nspawn"];

/// What keeps packages from starting daemons in the root while it is made.
const NO_DAEMONS: &str =
    r#"printf '#!/bin/sh\nexit 101\n' > "$1"/usr/sbin/policy-rc.d; chmod 755 "$1"/usr/sbin/policy-rc.d"#;

/// Why this machine can have no lab, if so.
fn obstacle() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("the interop tests need root (namespaces, chroot)".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|program| !std::env::split_paths(&path).any(|dir| dir.join(program).exists()))
        .collect();
    (!missing.is_empty()).then(|| format!("not installed: {}; run tests/setup", missing.join(", ")))
}

/// Whether the lab can be made here. When it cannot, says so on stderr.
///
/// # Panics
/// When it cannot, and `CONNECTORD_TESTS_MUST_NOT_SKIP=1` says that this is a failure.
pub fn possible() -> bool {
    let Some(obstacle) = obstacle() else {
        return true;
    };
    let strict = std::env::var("CONNECTORD_TESTS_MUST_NOT_SKIP").is_ok_and(|value| value == "1");
    assert!(!strict, "{obstacle}");
    eprintln!("SKIPPED: {obstacle}");
    false
}

impl Release {
    fn arguments(self) -> Vec<String> {
        let Release { suite, software, .. } = self;
        let mut arguments: Vec<String> = [
            "--quiet",
            "--variant=essential",
            software.packages(),
            r#"--aptopt=APT::Install-Recommends "false""#,
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--essential-hook={NO_DAEMONS}"));
        arguments.push(suite.to_owned());
        arguments
    }

    fn sources(self) -> String {
        let Release { suite, .. } = self;
        format!(
            "deb http://deb.debian.org/debian {suite} main\n\
             deb http://deb.debian.org/debian {suite}-updates main\n\
             deb http://deb.debian.org/debian-security {suite}-security main\n"
        )
    }

    fn recipe(self) -> String {
        let text = format!("{:?}{}", self.arguments(), self.sources());
        let hash = Sha256::digest(text);
        hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The finished root; the first call on a machine makes it, in about a minute.
    pub fn root(self) -> PathBuf {
        let roots = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("roots");
        fs::create_dir_all(&roots).unwrap();
        let root = roots.join(format!("{}-{}-{}", self.suite, self.software.name(), self.recipe()));
        let lock = File::create(roots.join(format!("{}-{}.lock", self.suite, self.software.name()))).unwrap();
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
        if !root.exists() {
            self.build(&root);
        }
        root
    }

    /// The number of the group of the mail server's processes, in its root.
    pub fn group(self) -> u32 {
        let groups = fs::read_to_string(self.root().join("etc/group")).unwrap();
        let fields = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = fields.into_iter().find(|fields| fields[0] == self.software.group());
        found.expect("the package has made its group")[2].parse().unwrap()
    }

    fn build(self, root: &Path) {
        let partial = root.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).unwrap();
        }
        eprintln!("making {} (once, about a minute)", root.display());
        let sources = root.with_extension("sources");
        fs::write(&sources, self.sources()).unwrap();
        let made = Command::new("mmdebstrap")
            .args(self.arguments())
            .arg(&partial)
            .arg("-")
            .stdin(Stdio::from(File::open(&sources).unwrap()))
            .output()
            .unwrap();
        assert!(made.status.success(), "mmdebstrap: {}", String::from_utf8_lossy(&made.stderr));
        fs::rename(&partial, root).unwrap();
        fs::remove_file(&sources).unwrap();
    }
}

/// Makes two tests of a function that takes a [`Release`], one for each Postfix.
#[macro_export]
macro_rules! on_each_postfix {
    ($($check:ident),+ $(,)?) => {$(
        mod $check {
            use $crate::root::{POSTFIX_3_7, POSTFIX_3_10, possible};

            #[test]
            fn postfix_3_7() {
                if possible() {
                    super::$check(POSTFIX_3_7);
                }
            }

            #[test]
            fn postfix_3_10() {
                if possible() {
                    super::$check(POSTFIX_3_10);
                }
            }
        }
    )+};
}

/// Makes two tests of a function that takes a [`Release`], one for each Exim.
#[macro_export]
macro_rules! on_each_exim {
    ($($check:ident),+ $(,)?) => {$(
        mod $check {
            use $crate::root::{EXIM_4_96, EXIM_4_98, possible};

            #[test]
            fn exim_4_96() {
                if possible() {
                    super::$check(EXIM_4_96);
                }
            }

            #[test]
            fn exim_4_98() {
                if possible() {
                    super::$check(EXIM_4_98);
                }
            }
        }
    )+};
}
