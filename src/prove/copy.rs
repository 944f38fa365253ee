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

use super::Error;
use super::enclosure::{Enclosure, copy};
use super::network::WORLD;
use crate::mta::postfix::settings::Settings;

/// What is in a queue directory and is no queue: what a chroot needs.
const QUEUES: [&str; 14] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "pid",
    "private", "public", "saved", "trace",
];

/// Programs that deliver on this machine.
const LOCAL: [&str; 5] = ["local", "virtual", "pipe", "lmtp", "spawn"];

/// Postfix on this machine.
pub struct Original {
    /// Its settings.
    pub settings: Settings,
    /// The directory of main.cf.
    pub config_directory: PathBuf,
}

/// What is changed in the copy: options of postconf(1), each with what it is given.
pub type Differences = Vec<(&'static str, Vec<String>)>;

impl Original {
    /// The queue directory.
    pub fn queue_directory(&self) -> PathBuf {
        PathBuf::from(self.settings.main("queue_directory"))
    }

    /// What is changed in the copy's main.cf and master.cf.
    pub fn differences(&self) -> Differences {
        // Its lines come to us by syslog(3).
        let mut set: Vec<String> = vec!["maillog_file=".to_owned()];
        for name in ["smtpd_milters", "non_smtpd_milters", "content_filter"] {
            set.push(format!("{name}="));
        }
        set.push("authorized_submit_users=static:anyone".to_owned());
        for (name, value) in self.settings.all() {
            let is_delay =
                name.ends_with("_destination_rate_delay") || name.ends_with("_transport_rate_delay");
            if name.ends_with("_destination_concurrency_failed_cohort_limit") && value != "0" {
                set.push(format!("{name}=0"));
            } else if is_delay && !value.starts_with('0') && !value.starts_with('$') {
                set.push(format!("{name}=0s"));
            }
        }
        let (mut without, mut unset, mut discard) = (Vec::new(), Vec::new(), Vec::new());
        for service in self.settings.services() {
            if service.name.ends_with("/inet") {
                without.push(service.name.clone());
                continue;
            }
            for name in ["content_filter", "maillog_file"] {
                if service.own(name).is_some() {
                    unset.push(format!("{}/{name}", service.name));
                }
            }
            if LOCAL.contains(&service.program.as_str()) {
                discard.push(format!("{}/command=discard", service.name));
            }
        }
        let all = [("-e", set), ("-MX", without), ("-PX", unset), ("-F", discard)];
        all.into_iter().filter(|(_, what)| !what.is_empty()).collect()
    }

    /// A command of Postfix for the copy.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").env("MAIL_CONFIG", &self.config_directory).stdin(Stdio::null());
        command
    }

    /// Puts the copy where the original is.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn copy_into(&self, enclosure: &mut Enclosure) -> Result<(), Error> {
        let config = enclosure.path("config");
        copy(std::slice::from_ref(&self.config_directory), &config)?;
        enclosure.replace(&self.config_directory, &config)?;

        let queue = self.queue_directory();
        let ours = alike(enclosure, &queue, "queue")?;
        let entries = fs::read_dir(&queue).map_err(|error| Error::place("read", &queue, error))?;
        let kept: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok())
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter(|entry| !entry.file_name().to_str().is_some_and(|name| QUEUES.contains(&name)))
            // The sockets of the daemon, and of others.
            .filter(|entry| !has_sockets(&entry.path()))
            .map(|entry| entry.path())
            .collect();
        if !kept.is_empty() {
            copy(&kept, &ours)?;
        }
        let resolver = resolver();
        if let Ok(true) = fs::exists(ours.join("etc")) {
            let path = ours.join("etc/resolv.conf");
            fs::write(&path, &resolver).map_err(|error| Error::place("write", &path, error))?;
        }
        enclosure.replace(&queue, &ours)?;

        let data = PathBuf::from(self.settings.main("data_directory"));
        let ours = alike(enclosure, &data, "data")?;
        enclosure.replace(&data, &ours)?;
        self.resolve(enclosure, &resolver)
    }

    /// Every question goes to the DNS of the proof.
    fn resolve(&self, enclosure: &mut Enclosure, resolver: &str) -> Result<(), Error> {
        let place = Path::new("/etc/resolv.conf");
        let ours = enclosure.write("resolv.conf", resolver.as_bytes())?;
        match fs::read_link(place).map(|target| Path::new("/etc").join(target)) {
            // It leads into the new /run, where nothing is yet: systemd-resolved(8).
            Ok(target) if !target.exists() => {
                let made = target
                    .parent()
                    .map_or(Ok(()), fs::create_dir_all)
                    .and_then(|()| fs::copy(&ours, &target));
                made.map(drop).map_err(|error| Error::place("write", &target, error))
            }
            _ => enclosure.replace(place, &ours),
        }
    }

    /// The files of authorities that the copy is to trust ours in.
    pub fn authorities(&self) -> BTreeSet<PathBuf> {
        let own = self.settings.services().filter_map(|service| service.own("smtp_tls_CAfile"));
        let all = own.chain([self.settings.main("smtp_tls_CAfile")]);
        all.filter(|file| !file.is_empty()).map(PathBuf::from).collect()
    }

    /// Whether only a directory of authorities is trusted.
    fn has_only_a_directory(&self) -> bool {
        let main = |name| self.settings.main(name);
        main("smtp_tls_CAfile").is_empty() && !main("smtp_tls_CApath").is_empty()
    }

    /// Changes the copy, and starts it.
    ///
    /// # Errors
    /// What Postfix says.
    pub fn start(&self, authority: &Path) -> Result<(), Error> {
        for (option, what) in self.differences() {
            self.run("postconf", option, &what)?;
        }
        if self.has_only_a_directory() {
            self.run("postconf", "-e", &[format!("smtp_tls_CAfile={}", authority.display())])?;
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
        let output = self.command(program).arg(command).args(arguments).output();
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

fn has_sockets(directory: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(io::Result::ok);
    entries.filter_map(|entry| entry.file_type().ok()).any(|kind| kind.is_socket())
}

fn resolver() -> String {
    format!("nameserver {WORLD}\noptions edns0 trust-ad\n")
}
