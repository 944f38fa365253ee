//! What goes round the connectors in a Postfix, or keeps their mail: from its settings and the agreements to
//! findings. Pure.
//!
//! Every finding is something that was seen to happen on a real Postfix, and each is shown by a test that lets
//! it happen: `tests/interop/doctor.rs` and `doctor_inbound.rs`.

mod inbound;
mod kinds;
mod rules;
mod tables;
mod ways;

use std::path::{Path, PathBuf};

pub use kinds::KINDS;

use super::settings::{Service, Settings};
use crate::model::{Agreements, Mode, Outbound};
use crate::mta::finding::{Finding, Kind};

/// What is examined.
pub struct Patient<'p> {
    /// The settings of Postfix.
    pub settings: &'p Settings,
    /// The connectors, and what was told us of Postfix.
    pub agreements: &'p Agreements,
    /// Where the daemon answers socketmap_table(5); absolute.
    pub socketmap: &'p Path,
    /// Where it answers SMTPD_POLICY_README; absolute.
    pub policy: &'p Path,
    /// The directory of main.cf, when it is not the one that Postfix knows by itself.
    pub config_directory: Option<&'p Path>,
}

/// Everything that is wrong, worst first.
pub fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = tables::policy(patient);
    findings.extend(ways::ways(patient));
    findings.extend(rules::rules(patient));
    findings.extend(inbound::inbound(patient));
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
#[derive(Clone, Copy)]
enum Place<'p> {
    Main,
    Service(&'p Service),
}

/// A setting, where it is.
#[derive(Clone, Copy)]
struct Set<'p> {
    place: Place<'p>,
    name: &'p str,
    value: &'p str,
}

impl<'p> Patient<'p> {
    /// The outbound connectors in force, and those that report: what goes round them will once they are.
    fn connectors(&self) -> impl Iterator<Item = &'p Outbound> {
        self.agreements.outbound.iter().filter(|connector| connector.mode != Mode::Off)
    }

    /// What is asked for, in the words of smtp_tls_policy_maps and transport_maps.
    fn our_table(&self, map: &str) -> String {
        format!("socketmap:unix:{}:{map}", self.as_asked(self.socketmap))
    }

    /// Whether a table is the daemon's, for whoever can reach it.
    fn is_ours(&self, table: &str, map: &str) -> bool {
        path_of(table, map).is_some_and(|path| self.is_at(path, self.socketmap))
    }

    /// A socket's path relative to the queue directory, if it is in that: this is right in a chroot and outside.
    fn as_asked<'s>(&self, socket: &'s Path) -> std::path::Display<'s> {
        let queue = self.settings.main("queue_directory");
        socket.strip_prefix(queue).unwrap_or(socket).display()
    }

    /// Whether this is the path of a socket, in words of Postfix: within its chroot or outside.
    fn is_at(&self, path: &str, socket: &Path) -> bool {
        [true, false].into_iter().any(|is_chrooted| self.seen(path, is_chrooted) == socket)
    }

    /// Whether a service finds a socket there.
    fn reaches(&self, service: &Service, path: &str, socket: &Path) -> bool {
        self.seen(path, self.settings.is_chrooted(service)) == socket
    }

    /// Where a path leads that is opened in the queue directory, as root of everything or not.
    fn seen(&self, path: &str, is_chrooted: bool) -> PathBuf {
        let path = if is_chrooted { path.trim_start_matches('/') } else { path };
        Path::new(self.settings.main("queue_directory")).join(path)
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

    /// Takes away what a service has for itself.
    fn unset(&self, service: &Service, name: &str) -> String {
        self.command("postconf", &format!("-PX {}", quoted(&format!("{}/{name}", service.name))))
    }

    fn reload(&self) -> String {
        self.command("postfix", "reload")
    }

    /// Whether a connector's mail can leave through a service that has its value of a setting from this place. A
    /// connector without a service of its own may leave by any.
    fn can_leave_by(&self, connector: &Outbound, place: Place<'_>, setting: &str) -> bool {
        let Some(own) = &connector.transport else { return true };
        let own = format!("{own}/unix");
        match place {
            Place::Service(service) => service.name == own,
            Place::Main => {
                let mut services = self.settings.running("smtp");
                !services.any(|service| service.name == own && service.own(setting).is_some())
            }
        }
    }

    /// A finding about these outbound connectors; none without any.
    fn outbound(
        &self,
        kind: &'static Kind,
        about: impl Fn(&Outbound) -> bool,
        message: String,
        set: Set<'_>,
        mend: Vec<String>,
    ) -> Option<Finding> {
        let connectors = self
            .connectors()
            .filter(|connector| about(connector) && self.can_leave_by(connector, set.place, set.name));
        finding(kind, connectors.map(|connector| connector.name.as_str()), message, set, mend)
    }

    /// The places from which daemons of these programs have a value that is not as it should be.
    fn wrong(
        &self,
        programs: &[&str],
        name: &str,
        is_right: impl Fn(&str) -> bool,
    ) -> Vec<(Place<'p>, &'p str)> {
        let settings: &'p Settings = self.settings;
        let services = || programs.iter().flat_map(|program| settings.running(program));
        let mut places = Vec::new();
        // What every service has for itself in another way is nobody's.
        let main = settings.main(name);
        if !is_right(main) && services().any(|service| service.own(name).is_none()) {
            places.push((Place::Main, main));
        }
        for service in services() {
            if let Some(own) = service.own(name).filter(|own| !is_right(own)) {
                places.push((Place::Service(service), own));
            }
        }
        places
    }

    /// Where a service has its value from.
    fn place<'s>(&self, service: &'s Service, name: &str) -> Place<'s> {
        if service.own(name).is_some() { Place::Service(service) } else { Place::Main }
    }

    /// The commands that make such a value right.
    fn mend(&self, place: Place<'_>, name: &str, right: &str) -> Vec<String> {
        let command = match place {
            Place::Main => self.set(name, right),
            // If main.cf is wrong too, that is a finding of its own.
            Place::Service(service) => self.unset(service, name),
        };
        vec![command, self.reload()]
    }
}

/// A finding about these connectors; none without any.
fn finding<'n>(
    kind: &'static Kind,
    connectors: impl Iterator<Item = &'n str>,
    message: String,
    Set { place, name, value }: Set<'_>,
    mend: Vec<String>,
) -> Option<Finding> {
    let connectors: Vec<String> = connectors.map(str::to_owned).collect();
    let place = match place {
        Place::Main => format!("main.cf: {name} = {value}"),
        Place::Service(service) => format!("master.cf: {}: {name} = {value}", service.name),
    };
    (!connectors.is_empty()).then_some(Finding { kind, message, connectors, place, mend })
}

/// The path of a socketmap table with this map.
fn path_of<'t>(table: &'t str, map: &str) -> Option<&'t str> {
    let table = table.strip_prefix("proxy:").unwrap_or(table);
    let (path, name) = table.strip_prefix("socketmap:unix:")?.rsplit_once(':')?;
    (name == map).then_some(path)
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
mod tests;
