//! A copy of this machine's Postfix: its configuration as it is, with an empty queue, in an enclosure.
//!
//! What differs is said in the report ([`Original::differences`]): the names of the world lead to the servers of the
//! proof, their authority is one more that is trusted, nothing is delivered on this machine, what is not there is not
//! asked (milters, content filters), nobody is listened to, and no failure holds back the next probe.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::enclosure::Enclosure;
use super::network::WORLD;
use super::program::program;
use super::tree::Copies;
use super::{Error, place, sockets};
use crate::mta::postfix::settings::{Service, Settings};

/// What a chroot needs (LINUX2 in Postfix's examples/chroot-setup, and what Debian's start script puts there). All
/// else in a queue directory is queues, sockets, or somebody else's.
const CHROOT: [&str; 7] = ["etc", "lib", "lib32", "lib64", "usr", "dev", "var"];

/// Files of settings are not longer; longer ones are tables.
const LONGEST: u64 = 1 << 20;

/// Postfix on this machine.
pub struct Original {
    /// Its settings.
    pub settings: Settings,
    /// The directory of main.cf.
    pub config_directory: PathBuf,
}

impl Original {
    /// The queue directory.
    pub fn queue_directory(&self) -> PathBuf {
        PathBuf::from(self.settings.main("queue_directory"))
    }

    /// A command of Postfix for the copy.
    fn command(&self, name: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = program(name);
        command.env("MAIL_CONFIG", &self.config_directory);
        command
    }

    /// Puts the copy where the original is.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn copy_into(&self, enclosure: &mut Enclosure) -> Result<(), Error> {
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
        self.resolve(enclosure)
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

    /// Every question goes to the DNS of the proof.
    fn resolve(&self, enclosure: &Enclosure) -> Result<(), Error> {
        let name = Path::new("/etc/resolv.conf");
        let place = place::of(name).map_err(|error| Error::place("follow", name, error))?;
        if place.exists() && !enclosure.is_ours(&place) {
            let ours = enclosure.write("resolv.conf", resolver().as_bytes())?;
            return enclosure.replace(&place, &ours);
        }
        if !enclosure.is_ours(&place) {
            let advice = "make it a file, or a link to one that exists or is below /run";
            let error = io::Error::other(format!("there is no file {}; {advice}", place.display()));
            return Err(Error::place("replace", name, error));
        }
        // In the new /run, where nothing is yet: systemd-resolved(8), resolvconf(8).
        let made = place.parent().map_or(Ok(()), fs::create_dir_all);
        let made = made.and_then(|()| write_new(&place, resolver().as_bytes()));
        made.map_err(|error| Error::place("write", &place, error))
    }

    /// Changes the copy, and starts it.
    ///
    /// # Errors
    /// What Postfix says.
    pub fn start(&self) -> Result<(), Error> {
        for (option, what) in self.differences() {
            self.run("postconf", option, &what)?;
        }
        self.age()?;
        self.run("postfix", "start", &[])
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
        Err(Error::Program { program, said: super::said(&output) })
    }

    /// Takes in a message.
    ///
    /// # Errors
    /// What sendmail(1) says.
    pub fn submit(&self, sender: &str, recipient: &str, headers: &str) -> Result<(), Error> {
        let mut child = self
            .command(self.settings.main("sendmail_path"))
            .args(["-i", "-f", sender, "--", recipient])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::system("start sendmail", error))?;
        let message =
            format!("From: <{sender}>\nTo: <{recipient}>\n{headers}\nA probe of connectord prove.\n");
        let written = child.stdin.take().map(|mut stdin| stdin.write_all(message.as_bytes()));
        let output = child.wait_with_output().map_err(|error| Error::system("wait for sendmail", error))?;
        match written {
            Some(Ok(())) | None if output.status.success() => Ok(()),
            _ => Err(Error::Program { program: "sendmail", said: super::said(&output) }),
        }
    }
}

/// A new directory with the owner and mode of one of this machine.
fn alike(enclosure: &Enclosure, place: &Path, name: &str) -> Result<PathBuf, Error> {
    let about = fs::metadata(place).map_err(|error| Error::place("read", place, error))?;
    let ours = enclosure.directory(Path::new(name), about.permissions().mode() & 0o7777)?;
    chown(&ours, Some(about.uid()), Some(about.gid()))
        .map_err(|error| Error::place("give away", &ours, error))?;
    Ok(ours)
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|error| Error::place("find", path, error))
}

/// Writes a file that is not there, so that no link leads elsewhere.
fn write_new(path: &Path, octets: &[u8]) -> io::Result<()> {
    fs::File::create_new(path)?.write_all(octets)
}

fn resolver() -> String {
    format!("nameserver {WORLD}\noptions edns0 trust-ad\n")
}
