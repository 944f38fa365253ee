//! What goes round the connectors in a Postfix, or keeps their mail: from its settings and the agreements to
//! findings. Pure, but for what is asked on the way: the tables and the sockets that Postfix asks.
//!
//! Every bypass and every outage was seen to happen on a real Postfix, and each is shown by a test that lets it happen:
//! `tests/interop/doctor*.rs`. Advice is what could not be seen.
//!
//! What mends a finding is printed as a command: a list of tables or restrictions keeps its other entries, and one that
//! cannot be written back as it was is left to people. A setting that has one right value gets it, and loses the one that
//! somebody wrote: that is in `where`, whole with --json, and where other mail may need it the message says so.

mod access;
mod asked;
mod chain;
mod clients;
mod daemon;
mod filters;
mod inbound;
mod kinds;
mod names;
mod policies;
mod proxies;
mod routing;
mod rules;
mod services;
mod stress;
mod tables;
mod ways;
mod written;

use std::path::{Path, PathBuf};

pub use daemon::Serving;
pub use kinds::KINDS;
use ways::Ways;
pub use written::Written;

use super::order::Order;
use super::postmap::Tables;
use super::reach::Sockets;
use super::settings::{Service, Settings};
use crate::model::{Agreements, Inbound, Mode, Outbound};
use crate::mta::finding::{Finding, Kind};
use crate::snapshot::Snapshot;

/// What is examined.
pub struct Patient<'p> {
    /// The settings of Postfix.
    pub settings: &'p Settings,
    /// The connectors, and what was told us of Postfix.
    pub agreements: &'p Agreements,
    /// The same connectors as the daemon has them.
    pub snapshot: &'p Snapshot,
    /// The tables that the settings name.
    pub tables: &'p dyn Tables,
    /// The sockets that they name.
    pub sockets: &'p dyn Sockets,
    /// What the daemon says.
    pub serving: &'p Serving,
    /// The files that it reads.
    pub written: &'p Written<'p>,
    /// Which of the two is started first.
    pub order: &'p Order,
    /// Where the daemon answers socketmap_table(5), absolute; first the path that is told to use.
    pub socketmap: &'p [PathBuf],
    /// Where it answers SMTPD_POLICY_README, in the same way.
    pub policy: &'p [PathBuf],
    /// The system's file of authorities, if it has one.
    pub authorities: Option<&'p Path>,
    /// The directory of main.cf, absolute, when it is not the one that Postfix knows by itself.
    pub config_directory: Option<&'p Path>,
}

/// Everything that is wrong, worst first.
pub fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let ways = Ways::of(patient);
    let mut findings = tables::policy(patient, &ways);
    findings.extend(daemon::daemon(patient, &ways));
    findings.extend(rules::rules(patient, &ways));
    findings.extend(ways.findings);
    findings.extend(inbound::inbound(patient));
    findings.extend(stress::under_stress(patient, &findings));
    // Services that have something from main.cf have one fault together.
    let mut all: Vec<Finding> = Vec::new();
    for finding in findings {
        if !all.contains(&finding) {
            all.push(finding);
        }
    }
    all.sort_by_key(|finding| finding.kind.severity);
    all
}

/// Where a value is set.
#[derive(Clone, Copy, Debug)]
enum Place<'p> {
    Main,
    Service(&'p Service),
}

/// A setting, where it is.
#[derive(Clone, Copy, Debug)]
struct Set<'p> {
    place: Place<'p>,
    name: &'p str,
    value: &'p str,
}

/// A setting that is right or not, for some connectors of a direction.
struct Rule<C> {
    kind: &'static Kind,
    name: &'static str,
    is_right: fn(&str) -> bool,
    right: &'static str,
    about: fn(&C) -> bool,
    /// What happens otherwise.
    message: &'static str,
}

/// Postfix compares booleans, levels and restrictions without case (mail_conf_bool.c:convert_mail_conf_bool).
fn is(value: &str, word: &str) -> bool {
    value.eq_ignore_ascii_case(word)
}

impl<'p> Patient<'p> {
    /// The outbound connectors in force, and those that report: what goes round them will once they are.
    fn outbound_connectors(&self) -> impl Iterator<Item = &'p Outbound> {
        self.agreements.outbound.iter().filter(|connector| connector.mode != Mode::Off)
    }

    /// The same inbound.
    fn inbound_connectors(&self) -> impl Iterator<Item = &'p Inbound> {
        self.agreements.inbound.iter().filter(|connector| connector.mode != Mode::Off)
    }

    /// A socket in words of Postfix: relative to the queue directory where it can be, since that is right in a chroot
    /// and outside. `None` where a chroot makes it unreachable.
    fn as_asked(&self, sockets: &[PathBuf], mut by: impl Iterator<Item = &'p Service>) -> Option<String> {
        let socket = sockets.first()?;
        let queue = Path::new(self.settings.main("queue_directory"));
        let relative = socket.strip_prefix(queue).map(Path::to_path_buf);
        match relative.or_else(|_| resolved(socket).strip_prefix(real(queue)).map(Path::to_path_buf)) {
            Ok(relative) => Some(relative.display().to_string()),
            Err(_) => {
                by.all(|service| !self.settings.is_chrooted(service)).then(|| socket.display().to_string())
            }
        }
    }

    /// Whether this is the path of one of these sockets, in words of Postfix: within its chroot or outside.
    fn is_at(&self, path: &str, sockets: &[PathBuf]) -> bool {
        let queue = Path::new(self.settings.main("queue_directory"));
        [true, false].into_iter().any(|is_chrooted| leads_to(queue, path, is_chrooted, sockets))
    }

    /// Whether a service finds one of these sockets there.
    fn reaches(&self, service: &Service, path: &str, sockets: &[PathBuf]) -> bool {
        let queue = Path::new(self.settings.main("queue_directory"));
        leads_to(queue, path, self.settings.is_chrooted(service), sockets)
    }

    /// Where a path leads that is opened in the queue directory, as root of everything or not.
    fn seen(&self, path: &str, is_chrooted: bool) -> PathBuf {
        seen(Path::new(self.settings.main("queue_directory")), path, is_chrooted)
    }

    /// Where a service has its value from.
    fn place<'s>(&self, service: &'s Service, name: &str) -> Place<'s> {
        if service.own(name).is_some() { Place::Service(service) } else { Place::Main }
    }

    /// A command of Postfix, for the instance that is examined.
    fn command(&self, program: &str, arguments: &str) -> String {
        match self.config_directory {
            None => format!("{program} {arguments}"),
            Some(directory) => {
                format!("{program} -c {} {arguments}", quoted(&directory.display().to_string()))
            }
        }
    }

    fn set(&self, name: &str, value: &str) -> String {
        self.command("postconf", &format!("-e {}", quoted(&format!("{name} = {value}"))))
    }

    fn reload(&self) -> String {
        self.command("postfix", "reload")
    }

    /// The commands that make a value right. A service loses its own one; main.cf, which it has then, is mended first
    /// if need be.
    fn mend(
        &self,
        place: Place<'_>,
        name: &str,
        is_right: impl Fn(&str) -> bool,
        right: &str,
    ) -> Vec<String> {
        let mut commands = Vec::new();
        if matches!(place, Place::Main) || !is_right(self.settings.main(name)) {
            commands.push(self.set(name, right));
        }
        if let Place::Service(service) = place {
            let setting = quoted(&format!("{}/{name}", service.name));
            commands.push(self.command("postconf", &format!("-PX {setting}")));
        }
        commands.push(self.reload());
        commands
    }

    /// The commands that give a list with these entries in the place of the one that is there; none where it cannot be
    /// written there: in master.cf a value has no blanks.
    fn rewrite(&self, place: Place<'_>, name: &str, entries: &[String]) -> Vec<String> {
        let command = match place {
            Place::Main => self.set(name, &entries.join(", ")),
            Place::Service(service) => {
                if entries.iter().any(|entry| entry.contains('{')) {
                    return Vec::new();
                }
                let value = entries.join(",").replace(' ', ",");
                let setting = quoted(&format!("{}/{name}={value}", service.name));
                self.command("postconf", &format!("-P {setting}"))
            }
        };
        vec![command, self.reload()]
    }

    /// A list as somebody wrote it.
    fn written(&self, place: Place<'p>, name: &str) -> &'p str {
        match place {
            Place::Main => self.settings.written(name),
            Place::Service(service) => service.written(name),
        }
    }
}

/// A finding about these connectors; none without any.
fn finding<'n>(
    kind: &'static Kind,
    connectors: impl Iterator<Item = &'n str>,
    message: &str,
    Set { place, name, value }: Set<'_>,
    mend: Vec<String>,
) -> Option<Finding> {
    let connectors: Vec<String> = connectors.map(str::to_owned).collect();
    let place = match place {
        Place::Main => format!("main.cf: {name} = {value}"),
        Place::Service(service) => format!("master.cf: {}: {name} = {value}", service.name),
    };
    let mend = typed(mend);
    let message = message.to_owned();
    (!connectors.is_empty()).then_some(Finding { kind, message, connectors, place, mend })
}

/// The commands, if they can be typed: what cannot be printed cannot, and what was no UTF-8 is not what was there.
fn typed(mend: Vec<String>) -> Vec<String> {
    let is_lost = |c: char| c == char::REPLACEMENT_CHARACTER || c.is_control();
    if mend.iter().any(|command| command.contains(is_lost)) { Vec::new() } else { mend }
}

/// Where a path leads that is opened in the queue directory, as root of everything or not.
fn seen(queue: &Path, path: &str, is_chrooted: bool) -> PathBuf {
    queue.join(if is_chrooted { path.trim_start_matches('/') } else { path })
}

/// Whether one of these sockets is there, however the directories on the way to it are called. Within a chroot a symbolic
/// link may lead elsewhere than outside: there only the queue directory itself may be one.
fn leads_to(queue: &Path, path: &str, is_chrooted: bool, sockets: &[PathBuf]) -> bool {
    let written = seen(queue, path, is_chrooted);
    let real = if is_chrooted { seen(&real(queue), path, true) } else { resolved(&written) };
    sockets.iter().any(|socket| *socket == written || resolved(socket) == real)
}

/// A directory without symbolic links; as it is, where that cannot be found out.
fn real(directory: &Path) -> PathBuf {
    directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf())
}

/// A path in a directory without symbolic links.
fn resolved(path: &Path) -> PathBuf {
    let place = path.parent().zip(path.file_name());
    place.map_or_else(|| path.to_path_buf(), |(directory, name)| real(directory).join(name))
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod bypass_tests;
#[cfg(test)]
mod detour_tests;
#[cfg(test)]
mod inbound_tests;
#[cfg(test)]
mod proxies_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod written_tests;
