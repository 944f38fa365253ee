//! A copy of this machine's Postfix: its configuration as it is, with an empty queue, in an enclosure.
//!
//! What differs is said in the report ([`Postfix::changes`]): the names of the world lead to the servers of the
//! proof, their authority is one more that is trusted, nothing is delivered on this machine, what is not there is not
//! asked (milters, content filters), nobody is listened to, and no failure holds back the next probe.

mod differences;
mod fate;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::{Mta, Patience, Submitted, alike, message, resolve, resolver, write_new};
use crate::config::ListenProtocol;
use crate::mta::postfix::settings::{Service, Settings, Unreadable, tables};
use crate::prove::enclosure::Enclosure;
use crate::prove::log::Reader;
use crate::prove::program::{PATIENCE, fed, program};
use crate::prove::tree::Copies;
use crate::prove::{Error, said, sockets};

/// What a chroot needs (LINUX2 in Postfix's examples/chroot-setup, and what Debian's start script puts there). All
/// else in a queue directory is queues, sockets, or somebody else's.
const CHROOT: [&str; 7] = ["etc", "lib", "lib32", "lib64", "usr", "dev", "var"];

/// Files of settings are not longer; longer ones are tables.
const LONGEST: u64 = 1 << 20;

/// How long it may take until all probes have ended, and so much more for each.
const FIRST: Duration = Duration::from_secs(60);
const MORE: Duration = Duration::from_millis(200);

/// How long is waited for what an alias makes of a mail beside.
const REST: Duration = Duration::from_millis(300);

/// Postfix on this machine.
pub struct Postfix {
    settings: Settings,
    /// The directory of main.cf.
    config_directory: PathBuf,
    version: String,
}

impl Mta for Postfix {
    fn id(&self) -> &'static str {
        "postfix"
    }

    fn name(&self) -> &'static str {
        "Postfix"
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn files(&self) -> Vec<PathBuf> {
        ["main.cf", "master.cf"].map(|name| self.config_directory.join(name)).to_vec()
    }

    fn host_name(&self) -> &str {
        self.settings.main("myhostname")
    }

    fn asks(&self) -> ListenProtocol {
        ListenProtocol::Socketmap
    }

    /// Of the two places that are usual the one that it asks at.
    fn directory_of_sockets(&self, runtime: &Path) -> PathBuf {
        let services = self.settings.services().filter_map(|service| service.own("smtp_tls_policy_maps"));
        let mut maps = services.chain([self.settings.main("smtp_tls_policy_maps")]).flat_map(tables);
        let there = format!("socketmap:unix:{}/", runtime.display());
        if maps.any(|map| map.starts_with(&there)) {
            return runtime.to_owned();
        }
        self.queue_directory().join("connectord")
    }

    /// None: its log tells of those that nobody foresaw.
    fn ports(&self) -> BTreeSet<u16> {
        BTreeSet::new()
    }

    fn authorities(&self) -> BTreeSet<PathBuf> {
        self.files_of_authorities()
    }

    fn differences(&self) -> Vec<String> {
        let changes = self.changes().into_iter();
        changes.map(|(option, what)| format!("postconf {option} {}", what.join(" "))).collect()
    }

    fn copy_into(&self, enclosure: &mut Enclosure) -> Result<(), Error> {
        let mut copies = Copies::new();
        let config = self.copy_configuration(enclosure, &mut copies)?;
        let queue = self.copy_queue(enclosure, &mut copies)?;
        let data = PathBuf::from(self.settings.main("data_directory"));
        let new_data = alike(enclosure, &data, "data")?;
        for (original, copied) in &copies.bound {
            enclosure.show(original, copied)?;
        }
        enclosure.cover(self.named_paths(&config))?;
        enclosure.replace(&self.config_directory, &config)?;
        enclosure.replace(&self.queue_directory(), &queue)?;
        enclosure.replace(&data, &new_data)?;
        resolve(enclosure)
    }

    fn start(&self) -> Result<(), Error> {
        for (option, what) in self.changes() {
            self.run("postconf", option, &what)?;
        }
        self.age()?;
        self.run("postfix", "start", &[])
    }

    fn submit(&self, sender: &str, recipient: &str, headers: &str) -> Result<Submitted, Error> {
        let mut sendmail = self.command(self.settings.main("sendmail_path"));
        sendmail.args(["-i", "-f", sender, "--", recipient]);
        fed(&mut sendmail, "sendmail", &message(sender, recipient, headers), PATIENCE)?;
        Ok(Submitted::Taken)
    }

    /// Nothing: its daemons deliver.
    fn tend(&self, _: u32) -> Result<(), Error> {
        Ok(())
    }

    fn patience(&self, mails: u32) -> Patience {
        Patience { first: FIRST + MORE.saturating_mul(mails), rest: REST }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(fate::Lines)
    }

    /// None: it logs by syslog(3).
    fn logs(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

impl Postfix {
    /// With these settings, in this directory where they do not name their own.
    ///
    /// # Errors
    /// They name no version.
    pub fn new(settings: Settings, config_directory: Option<PathBuf>) -> Result<Postfix, Unreadable> {
        let version = settings.version()?.to_owned();
        let named = || PathBuf::from(settings.main("config_directory"));
        let config_directory = config_directory.unwrap_or_else(named);
        Ok(Postfix { settings, config_directory, version })
    }

    /// The queue directory.
    fn queue_directory(&self) -> PathBuf {
        PathBuf::from(self.settings.main("queue_directory"))
    }

    /// A command of Postfix for the copy.
    fn command(&self, name: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = program(name);
        command.env("MAIL_CONFIG", &self.config_directory);
        command
    }

    fn copy_configuration(&self, enclosure: &Enclosure, copies: &mut Copies) -> Result<PathBuf, Error> {
        let original = canonical(&self.config_directory)?;
        let config = enclosure.path("config");
        copies.copy(&original, &config)?;
        // These are changed: where they are links, what they lead to is not.
        for name in ["main.cf", "master.cf"] {
            let file = config.join(name);
            if fs::symlink_metadata(&file).is_ok_and(|about| about.is_symlink()) {
                fs::remove_file(&file).map_err(|error| Error::place("replace", &file, error))?;
                copies.copy(&canonical(&original.join(name))?, &file)?;
            }
        }
        Ok(config)
    }

    /// A queue directory without a message, with what chrooted services need.
    fn copy_queue(&self, enclosure: &Enclosure, copies: &mut Copies) -> Result<PathBuf, Error> {
        let original = canonical(&self.queue_directory())?;
        let queue = alike(enclosure, &original, "queue")?;
        for name in CHROOT {
            let (from, to) = (original.join(name), queue.join(name));
            if fs::symlink_metadata(&from).is_ok() {
                copies.copy(&from, &to)?;
            }
        }
        // A directory of the copy, and not a link out of it.
        let etc = queue.join("etc");
        if fs::symlink_metadata(&etc).is_ok_and(|about| about.is_dir()) {
            let file = etc.join("resolv.conf");
            let removed = match fs::remove_file(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            };
            let written = removed.and_then(|()| write_new(&file, resolver().as_bytes()));
            written.map_err(|error| Error::place("write", &file, error))?;
        }
        Ok(queue)
    }

    /// Paths in settings, and in files beside main.cf: a table says there which socket it asks at.
    fn named_paths(&self, config: &Path) -> BTreeSet<PathBuf> {
        let own = self.settings.services().flat_map(Service::all).map(|(_, value)| value.to_owned());
        let main = self.settings.all().map(|(_, value)| value.to_owned());
        let files = fs::read_dir(config).into_iter().flatten().filter_map(Result::ok);
        let files = files
            .filter(|file| file.metadata().is_ok_and(|about| about.is_file() && about.len() <= LONGEST))
            .filter_map(|file| fs::read(file.path()).ok())
            .map(|octets| String::from_utf8_lossy(&octets).into_owned());
        main.chain(own)
            .chain(files)
            .flat_map(|text| sockets::named(&text).map(Path::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// Every process of Postfix waits while main.cf is younger than two seconds: somebody could be writing it
    /// (dict_load_file_xt in dict.c).
    fn age(&self) -> Result<(), Error> {
        for name in ["main.cf", "master.cf"] {
            let path = self.config_directory.join(name);
            let aged = fs::File::options()
                .append(true)
                .open(&path)
                .and_then(|file| file.set_modified(SystemTime::now() - Duration::from_secs(60)));
            aged.map_err(|error| Error::place("change the time of", &path, error))?;
        }
        Ok(())
    }

    fn run(&self, program: &'static str, command: &str, arguments: &[String]) -> Result<(), Error> {
        let path = Path::new(self.settings.main("command_directory")).join(program);
        let output = self.command(path).arg(command).args(arguments).output();
        let output = output.map_err(|error| Error::system(program, error))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Program { program, said: said(&output) })
    }
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|error| Error::place("find", path, error))
}
