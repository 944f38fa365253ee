//! Control groups, one for each container. systemd-nspawn(1) that registers nowhere puts what it boots into the
//! group `payload` below its own: two of them in one group would share those of all units of one name, and each
//! systemd would kill, and wait for, the processes of the other's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A group of our own in each hierarchy that systemd uses, gone with this value.
pub struct Group {
    name: String,
    directories: Vec<PathBuf>,
}

impl Group {
    pub fn new() -> Group {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("connectord-test-{}-{number}", std::process::id());
        let directories: Vec<PathBuf> = ours().into_iter().map(|group| group.join(&name)).collect();
        for directory in &directories {
            fs::create_dir(directory).unwrap();
        }
        Group { name, directories }
    }

    /// Its name, which nothing else has on this machine.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files that a process writes its number into, in order to be in it.
    pub fn doors(&self) -> Vec<PathBuf> {
        self.directories.iter().map(|directory| directory.join("cgroup.procs")).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.directories.iter().for_each(|directory| remove(directory));
    }
}

/// A group can be removed when no other is in it, and its files cannot be.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    // One in which somebody still ends stays, and is in nobody's way.
    let _ = fs::remove_dir(group);
}

/// The directories of the groups that we are in: cgroups(7), version 2, and the hierarchy with a name that
/// systemd has beside version 1.
fn ours() -> Vec<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    // `36 35 98:0 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw`
    let mounted = |is_it: &dyn Fn(&str) -> bool| {
        let mount = mounts.lines().filter_map(|line| line.split_once(" - ")).find(|(_, of)| is_it(of));
        mount.and_then(|(line, _)| line.split(' ').nth(4).map(PathBuf::from))
    };
    let group = |line: &str| {
        let (hierarchy, path) = line.split_once(':')?.1.split_once(':')?;
        let point = match hierarchy {
            "" => mounted(&|of| of.starts_with("cgroup2 ")),
            "name=systemd" => mounted(&|of| of.starts_with("cgroup ") && of.contains("name=systemd")),
            _ => None,
        };
        Some(point?.join(path.trim_start_matches('/')))
    };
    groups.lines().filter_map(group).collect()
}
