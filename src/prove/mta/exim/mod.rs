//! A copy of this machine's Exim: its configuration as it is, not a byte of it changed, with an empty spool, in an
//! enclosure.
//!
//! No daemon of it runs: each message is taken in and tried by one process (`-odf`), as one from a program of this machine,
//! and what waits is tried again by queue runs (`-qff`). What it remembers of hosts that failed is taken away before each
//! message, so that none holds back the next. What the configuration delivers on this machine, or gives to a program, it
//! does here too: where nothing can be written, no daemon is found, and no network but that of the proof. A FIFO outside of
//! /dev that a program opens of itself, and no setting names, is one of this machine.
//!
//! What an ACL of the site does not let in, and what there is no room for, is told: no setting is changed for a proof.
//!
//! It is never told of another configuration file: with `-C` Exim gives up its privileges.

mod fate;
mod intake;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::User;

use super::{Mta, Patience, Submitted, alike, message, resolve};
use crate::config::ListenProtocol;
use crate::mta::exim::settings::Settings;
use crate::protocol::escape::printable;
use crate::prove::enclosure::Enclosure;
use crate::prove::log::Reader;
use crate::prove::program::{PATIENCE, fed, program};
use crate::prove::{Error, place, sockets};

/// Where the unit has the socket of Exim.
const SOCKETS: &str = "/run/connectord";

/// What GnuTLS takes for the authorities of the system, as Debian builds it.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Options of routers and transports that name hosts: `relay.example::2525`.
const HOSTS: [&str; 4] = ["route_list", "route_data", "hosts", "fallback_hosts"];

/// Ports that options lead to; nobody has more.
const PORTS: usize = 64;

/// So much longer may a queue run take for each mail.
const MORE: Duration = Duration::from_secs(1);

/// Runs of the queue. Where a message is not tried as it comes (`queue_only`, `queue_domains`, `queue_only_load`), the first
/// is its first attempt, and what is for delayed mail is met in the second. A run ends when all that it started has, also
/// over connections that were left open (`-MC`).
const RUNS: usize = 2;

/// Files of log that are read.
const LOGS: usize = 100;

/// Exim on this machine.
pub struct Exim {
    settings: Settings,
}

impl Mta for Exim {
    fn id(&self) -> &'static str {
        "exim"
    }

    fn name(&self) -> &'static str {
        "Exim"
    }

    fn version(&self) -> &str {
        &self.settings.version
    }

    fn files(&self) -> Vec<PathBuf> {
        files(&self.settings.text)
    }

    fn host_name(&self) -> &str {
        self.settings.main("primary_hostname")
    }

    fn asks(&self) -> ListenProtocol {
        ListenProtocol::Exim
    }

    /// That of the unit, if no router asks in the daemon's own.
    fn directory_of_sockets(&self, runtime: &Path) -> PathBuf {
        let there = format!("{{{}/", runtime.display());
        let asks = self.settings.routers.iter().flat_map(|router| router.values());
        let asks_there = asks.into_iter().any(|(_, value)| value.contains(&there));
        if asks_there { runtime.to_owned() } else { PathBuf::from(SOCKETS) }
    }

    fn ports(&self) -> BTreeSet<u16> {
        let drivers = || self.settings.routers.iter().chain(&self.settings.transports);
        let beside_hosts =
            drivers().flat_map(|driver| HOSTS.into_iter().flat_map(|name| ports(driver.option(name))));
        let own = drivers().filter_map(|driver| driver.option("port").parse().ok());
        own.chain(beside_hosts).filter(|port| *port != 0).take(PORTS).collect()
    }

    /// Of a directory of authorities nothing is known here: ours are not trusted then.
    fn authorities(&self) -> BTreeSet<PathBuf> {
        let own =
            self.settings.transports.iter().map(|transport| transport.option("tls_verify_certificates"));
        let files = own.chain([SYSTEM]).filter(|value| value.starts_with('/')).map(PathBuf::from);
        files.filter(|file| file.is_file()).collect()
    }

    fn differences(&self) -> Vec<String> {
        vec![
            "no daemon of it runs: exim -odf, exim -qff".to_owned(),
            format!("rm {}/db/retry* before each message", self.settings.main("spool_directory")),
        ]
    }

    fn copy_into(&self, enclosure: &mut Enclosure) -> Result<(), Error> {
        let spool = self.spool()?;
        let new_spool = alike(enclosure, &spool, "spool")?;
        enclosure.cover(sockets::named(&self.settings.text).map(Path::to_owned).collect())?;
        // What is below the spool is found before there is a new one.
        let logs = self.log_directories()?;
        enclosure.replace(&spool, &new_spool)?;
        for (number, directory) in logs.into_iter().enumerate() {
            if directory.starts_with(&spool) {
                continue;
            }
            let new_log = alike(enclosure, &directory, &format!("log-{number}"))?;
            // Its files were there, maybe, in a directory where it makes none.
            if let Ok(Some(user)) = User::from_name(self.settings.main("exim_user")) {
                chown(&new_log, Some(user.uid.as_raw()), None)
                    .map_err(|error| Error::place("give away", &new_log, error))?;
            }
            enclosure.replace(&directory, &new_log)?;
        }
        resolve(enclosure)
    }

    /// Nothing is started: whoever takes in a message delivers it.
    fn start(&self) -> Result<(), Error> {
        self.has_room()
    }

    fn submit(&self, sender: &str, recipient: &str, headers: &str) -> Result<Submitted, Error> {
        self.forget()?;
        let mut exim = self.command();
        exim.args(["-odf", "-oep", "-i", "-f", &format!("<{sender}>"), "--", recipient]);
        let Err(error) = fed(&mut exim, "exim", &message(sender, recipient, headers), PATIENCE) else {
            return Ok(Submitted::Taken);
        };
        if let Some(why) = self.refusal(&error) {
            return Ok(Submitted::Refused(why));
        }
        // Other probes, and what was logged of them, may have left none.
        self.has_room()?;
        Err(error)
    }

    fn tend(&self, mails: u32) -> Result<(), Error> {
        for _ in 0..RUNS {
            self.forget()?;
            fed(self.command().arg("-qff"), "exim -qff", b"", PATIENCE + MORE.saturating_mul(mails))?;
        }
        Ok(())
    }

    /// What has ended has said all. What syslog(3) was told comes, and a delivery may go on over a connection that another
    /// one has left open (`-MC`).
    fn patience(&self, _: u32) -> Patience {
        Patience { first: Duration::from_secs(10), rest: Duration::from_millis(100) }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(fate::Lines::default())
    }

    fn logs(&self) -> Vec<PathBuf> {
        let directories = self.log_directories().unwrap_or_default();
        let entries = directories.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten();
        entries
            .take(LOGS)
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file())
            .collect()
    }
}

impl Exim {
    /// With these settings.
    pub fn new(settings: Settings) -> Exim {
        Exim { settings }
    }

    /// Exim as it starts itself.
    fn command(&self) -> Command {
        program(self.settings.main("exim_path"))
    }

    fn spool(&self) -> Result<PathBuf, Error> {
        let spool = literal(self.settings.main("spool_directory"), "spool_directory")?;
        fs::canonicalize(spool).map_err(|error| Error::place("find", Path::new(spool), error))
    }

    /// What is remembered of hosts that failed is forgotten.
    fn forget(&self) -> Result<(), Error> {
        let db = self.spool()?.join("db");
        // Before the first message there is none.
        for entry in fs::read_dir(&db).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b"retry") {
                fs::remove_file(entry.path())
                    .map_err(|error| Error::place("remove", &entry.path(), error))?;
            }
        }
        Ok(())
    }

    /// The directories of its logs (chapter 53.1 of its specification: a list with `syslog` in it, maybe, and an empty
    /// entry for what it was built with, which nothing tells).
    fn log_directories(&self) -> Result<BTreeSet<PathBuf>, Error> {
        let list = literal(self.settings.main("log_file_path"), "log_file_path")?;
        let spool = self.spool()?;
        let needed = [&spool, Path::new(self.settings.main("exim_path")), Path::new(&self.settings.file)];
        let entries = list.split(':').map(str::trim);
        let directories = entries.filter(|entry| *entry != "syslog").map(|entry| {
            if !entry.starts_with('/') {
                if entry.is_empty() && !list.is_empty() {
                    let error = io::Error::other("it has an empty entry: write what that stands for");
                    return Err(Error::system("follow log_file_path", error));
                }
                return Ok(spool.join("log"));
            }
            // The names of days and of the kinds of log are not known yet.
            let fixed = entry.split('%').next().unwrap_or_default();
            let directory = Path::new(fixed.rsplit_once('/').map_or("", |(directory, _)| directory));
            // Below a new spool there is none yet.
            let found = place::of(directory).map_err(|error| Error::place("find", directory, error))?;
            // It would be gone with the logs.
            let is_lost = |path: &&Path| path.starts_with(&found) && !found.starts_with(&spool);
            if let Some(lost) = needed.into_iter().find(is_lost) {
                let error = io::Error::other(format!("{} is in that directory of logs", shown(lost)));
                return Err(Error::place("replace", &found, error));
            }
            Ok(found)
        });
        directories.collect()
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), usize::MAX)
}

/// The value of an option that names a path, if it needs no expansion.
fn literal<'v>(value: &'v str, option: &str) -> Result<&'v str, Error> {
    if value.contains('$') {
        return Err(Error::system(
            format!("expand {option}"),
            io::Error::other("it must be a path as it is"),
        ));
    }
    Ok(value)
}

/// The files that `exim -bP config` names: `# 12 "/etc/exim4/connectord/acl"` (readconf.c:print_config).
fn files(text: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("# ")) {
        let file = line.split('"').nth(1).map(PathBuf::from);
        files.extend(file.filter(|file| file.is_absolute() && !files.contains(file)));
    }
    files
}

/// The ports behind hosts, whatever the separator of the list is; a server too many does no harm.
fn ports(hosts: &str) -> impl Iterator<Item = u16> {
    hosts.split(':').skip(1).filter_map(|behind| {
        let digits = behind.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_files_are_read() {
        let found = |hosts| ports(hosts).collect::<Vec<_>>();
        assert_eq!(found("* relay.example::2525:other.example::587 byname"), [2525, 587]);
        assert_eq!(found("<; relay.example:2525;other.example"), [2525]);
        assert_eq!(found("relay.example"), Vec::<u16>::new());
        assert_eq!(found("<; ::x ; [192.0.2.1]::70000"), Vec::<u16>::new());
        let text =
            "# Exim Configuration (4.98.2)\n# 1 \"/etc/a\"\nx = \"/b\"\n# 7 \"/etc/c d\"\n# 2 \"/etc/a\"\n";
        assert_eq!(files(text), [Path::new("/etc/a"), Path::new("/etc/c d")]);
    }
}
