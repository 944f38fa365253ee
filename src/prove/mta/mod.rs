//! The MTA under proof: a copy of the one that this machine has, with the settings that it has.
//!
//! What a proof needs of it, and nothing else: servers, names, judging and the report are the same for all.

pub mod exim;
pub mod postfix;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::enclosure::Enclosure;
use super::log::Reader;
use super::network::WORLD;
use super::{Error, place};
use crate::config::ListenProtocol;

/// An MTA of this machine, of which copies are made.
pub trait Mta: Sync {
    /// Its name, for scripts.
    fn id(&self) -> &'static str;

    /// Its name.
    fn name(&self) -> &'static str;

    /// Its version.
    fn version(&self) -> &str;

    /// The files that its settings are in.
    fn files(&self) -> Vec<PathBuf>;

    /// The name of this machine in mail.
    fn host_name(&self) -> &str;

    /// What it speaks when it asks about mail that goes out.
    fn asks(&self) -> ListenProtocol;

    /// The directory in which it looks for sockets that no configuration names. `runtime` is the daemon's own.
    fn directory_of_sockets(&self, runtime: &Path) -> PathBuf;

    /// Ports that its settings lead to.
    fn ports(&self) -> BTreeSet<u16>;

    /// The files of authorities that the copy is to trust ours in.
    fn authorities(&self) -> BTreeSet<PathBuf>;

    /// In what the copy differs, in words.
    fn differences(&self) -> Vec<String>;

    /// Puts the copy where the original is.
    ///
    /// # Errors
    /// What the system says, with the path.
    fn copy_into(&self, enclosure: &mut Enclosure) -> Result<(), Error>;

    /// Starts it.
    ///
    /// # Errors
    /// What it says.
    fn start(&self) -> Result<(), Error>;

    /// Takes in a message.
    ///
    /// # Errors
    /// What it says.
    fn submit(&self, sender: &str, recipient: &str, headers: &str) -> Result<Submitted, Error>;

    /// Does what is left to do when all messages, so many, are in.
    ///
    /// # Errors
    /// What it says.
    fn tend(&self, mails: u32) -> Result<(), Error>;

    /// How long is waited then for news of so many.
    fn patience(&self, mails: u32) -> Patience;

    /// What reads its log.
    fn reader(&self) -> Box<dyn Reader>;

    /// Its files of log in the copy, if it writes any.
    fn logs(&self) -> Vec<PathBuf>;
}

/// Whether a message was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It was.
    Taken,
    /// The settings of the site do not let it in: nothing is shown of its connector by it. What does not, why, and what
    /// can be done, in words.
    Refused(String),
}

/// How long is waited for news.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until there is some of each mail.
    pub first: Duration,
    /// And then, for what may come of a mail beside.
    pub rest: Duration,
}

/// A probe as sendmail(1) takes it.
fn message(sender: &str, recipient: &str, headers: &str) -> Vec<u8> {
    let from = if sender.is_empty() { "MAILER-DAEMON" } else { sender };
    format!("From: {from}\nTo: <{recipient}>\n{headers}\nA probe of connectord prove.\n").into_bytes()
}

/// A new directory with the owner and mode of one of this machine.
fn alike(enclosure: &Enclosure, place: &Path, name: &str) -> Result<PathBuf, Error> {
    let about = fs::metadata(place).map_err(|error| Error::place("read", place, error))?;
    let ours = enclosure.directory(Path::new(name), about.permissions().mode() & 0o7777)?;
    chown(&ours, Some(about.uid()), Some(about.gid()))
        .map_err(|error| Error::place("give away", &ours, error))?;
    Ok(ours)
}

/// Every question goes to the DNS of the proof.
fn resolve(enclosure: &Enclosure) -> Result<(), Error> {
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

/// Writes a file that is not there, so that no link leads elsewhere.
fn write_new(path: &Path, octets: &[u8]) -> io::Result<()> {
    fs::File::create_new(path)?.write_all(octets)
}

fn resolver() -> String {
    format!("nameserver {WORLD}\noptions edns0 trust-ad\n")
}
