//! What mends a finding, as commands. They add lines, or put what was there aside: into a comment, or into a copy.

use super::Patient;
use crate::mta::exim::host::{DIRECTORY, Layout};

/// What all our transports read.
const OPTIONS: &str = "transport-options";

/// What puts the lines with an option into comments, for sed(1).
fn aside(option: &str) -> String {
    format!(r"s/^[[:blank:]]*\(no_\)\?{option}\b/# &/")
}

/// The directory of our files.
fn ours(file: &str) -> String {
    format!("{DIRECTORY}/connectord/{file}")
}

impl Patient<'_> {
    /// These commands, and then those that put the configuration into force; none without any.
    fn in_force(&self, mut commands: Vec<String>) -> Vec<String> {
        if commands.is_empty() || self.config_file.is_some() {
            return Vec::new();
        }
        let is_debian = self.settings.file.starts_with(DIRECTORY) || self.host.layout != Layout::Own;
        if self.host.layout != Layout::Own {
            commands.push("update-exim4.conf".to_owned());
        }
        commands.push(if is_debian { "systemctl reload exim4" } else { "systemctl reload exim" }.to_owned());
        commands
    }

    /// Our file as it is in contrib, if this part is written in it. What was there is kept beside it.
    pub(super) fn restore_part(&self, section: &str, name: &str, file: &str) -> Vec<String> {
        let part = self.settings.written.part(section, name);
        let is_there = part.is_some_and(|part| part.file == ours(file));
        let Some(contrib) = self.host.contrib.as_ref().filter(|_| is_there) else { return Vec::new() };
        let from = contrib.join("connectord").join(file);
        self.in_force(vec![format!("cp --backup=numbered {} {}", from.display(), ours(file))])
    }

    /// Our transports, where some of them are read from our file; all that file, where it is not read.
    pub(super) fn restore_transports(&self) -> Vec<String> {
        let mut names = self.settings.transports.iter().map(|transport| transport.name.as_str());
        let mended = names.find_map(|name| {
            let commands = self.restore_part("transports", name, "transports");
            (!commands.is_empty()).then_some(commands)
        });
        mended.unwrap_or_else(|| self.include("transports", "transports"))
    }

    /// An option in the file that all our transports read.
    pub(super) fn in_all_transports(&self, option: &str, value: &str) -> Vec<String> {
        if !self.host.ours.contains(OPTIONS) || self.is_fixed(option) {
            return Vec::new();
        }
        let aside = aside(option);
        self.in_force(vec![format!("sed -i -e '{aside}' -e '1i {option} = {value}' {}", ours(OPTIONS))])
    }

    /// Whether an option of a transport stands in the file that all our transports read.
    pub(super) fn is_in_all_transports(&self, transport: &str, option: &str) -> bool {
        let part = self.settings.written.part("transports", transport);
        part.and_then(|part| part.file_of(option)) == Some(ours(OPTIONS).as_str())
    }

    /// An option of a transport as contrib has it, wherever it stands.
    pub(super) fn restore_option(&self, transport: &str, option: &str) -> Vec<String> {
        // What contrib's transports have not, so that it is enough that it goes.
        const UNSET: [&str; 3] = ["hosts", "fallback_hosts", "dane_require_tls_ciphers"];
        let restored = || self.restore_part("transports", transport, "transports");
        if !self.is_in_all_transports(transport, option) {
            return restored();
        }
        if !self.host.ours.contains(OPTIONS) || self.is_fixed(option) {
            return Vec::new();
        }
        let aside = vec![format!("sed -i '{}' {}", aside(option), ours(OPTIONS))];
        if UNSET.contains(&option) {
            return self.in_force(aside);
        }
        // Exim refuses an option that is in both files.
        let rest = restored();
        if rest.is_empty() { rest } else { [aside, rest].concat() }
    }

    fn is_fixed(&self, option: &str) -> bool {
        [option.to_owned(), format!("no_{option}")].iter().any(|name| self.host.fixed.contains(name))
    }

    /// Reads our file in its section, right behind the section's first line.
    pub(super) fn include(&self, section: &str, file: &str) -> Vec<String> {
        if !self.host.ours.contains(file) || !self.settings.written.defines("CONNECTORD_SOCKET") {
            return self.install();
        }
        let line = format!(".include {}", ours(file));
        let behind_begin = |of: &str| format!("sed -i '/^begin {section}[[:blank:]]*$/a {line}' {of}");
        self.in_force(vec![match self.host.layout {
            Layout::Split => {
                let directory = section.trim_end_matches('s');
                // Behind Debian's macros of transports, which ours use.
                let order = if section == "transports" { "20" } else { "05" };
                format!("echo '{line}' >> {DIRECTORY}/conf.d/{directory}/{order}_connectord")
            }
            // In the one file there is no place behind those macros that a pattern finds.
            Layout::Single if section == "transports" => return Vec::new(),
            Layout::Single => behind_begin(&format!("{DIRECTORY}/exim4.conf.template")),
            Layout::Own => return Vec::new(),
        }])
    }

    /// All of it, where there is nothing of it yet; as contrib/exim/README.md says.
    fn install(&self) -> Vec<String> {
        let Some(contrib) = &self.host.contrib else { return Vec::new() };
        let is_begun = !self.host.ours.is_empty()
            || self.host.router_files.iter().any(|name| name.contains("connectord"));
        // What contrib sets may not be set already: Exim refuses a second definition.
        let is_set = ["MAIN_ACL_CHECK_MAIL", "MAIN_ACL_CHECK_RCPT"]
            .iter()
            .any(|name| self.host.local_macros.contains(*name) || self.host.fixed.contains(*name));
        if self.host.layout != Layout::Split || is_begun || is_set {
            return Vec::new();
        }
        let contrib = contrib.display();
        self.in_force(vec![
            format!("cp -r --backup=numbered {contrib}/connectord {DIRECTORY}/"),
            format!("cp -r --backup=numbered {contrib}/conf.d/. {DIRECTORY}/conf.d/"),
        ])
    }

    /// Our ACLs first; those that are there go on behind them.
    pub(super) fn ask_in_acls(&self, is_asked_at_mail: bool) -> Vec<String> {
        if self.settings.written.acl("acl_connectord_judge").is_none() {
            return self.install();
        }
        if self.host.layout == Layout::Own {
            return Vec::new();
        }
        let file = format!("{DIRECTORY}/{}", self.host.layout.local_macros());
        let mut commands = Vec::new();
        for (at, is_asked) in [("MAIL", is_asked_at_mail), ("RCPT", false)] {
            if is_asked {
                continue;
            }
            let (debian, next) = (format!("MAIN_ACL_CHECK_{at}"), format!("CONNECTORD_NEXT_{at}"));
            if [&debian, &next].iter().any(|name| self.host.fixed.contains(*name)) {
                return Vec::new();
            }
            let has = |name: &str| self.host.local_macros.contains(name);
            let lower = at.to_ascii_lowercase();
            match (has(&debian), has(&next)) {
                (true, true) => return Vec::new(),
                (true, false) => {
                    commands.push(format!("sed -i 's/^[[:blank:]]*{debian}[[:blank:]]*=/{next} =/' {file}"));
                }
                // Somebody has set it where nobody looks from here.
                (false, _)
                    if self.settings.main(&format!("acl_smtp_{lower}")) != format!("acl_check_{lower}") =>
                {
                    return Vec::new();
                }
                (false, _) => {}
            }
            commands.push(format!("echo '{debian} = acl_connectord_{lower}' >> {file}"));
        }
        self.in_force(commands)
    }

    /// Makes our routers the first, behind Debian's file that begins the section.
    pub(super) fn routers_first(&self) -> Vec<String> {
        const HEADER: &str = "00_exim4-config_header";
        let (ours, first) = ("05_connectord", "00_first_connectord");
        let files = &self.host.router_files;
        let mut others = files.iter().filter(|name| *name != HEADER);
        let would_be = files.contains(HEADER) && others.next().is_some_and(|next| next.as_str() > first);
        if self.host.layout != Layout::Split || !files.contains(ours) || !would_be {
            return Vec::new();
        }
        let directory = format!("{DIRECTORY}/conf.d/router");
        self.in_force(vec![format!("mv {directory}/{ours} {directory}/{first}")])
    }

    /// Believes no proxy any more.
    pub(super) fn without_proxies(&self) -> Vec<String> {
        let Some(file) = &self.host.proxies else { return Vec::new() };
        let change = "sed -i --follow-symlinks 's/^[[:blank:]]*hosts_proxy[[:blank:]]*=/# &/'";
        self.in_force(vec![format!("{change} {}", file.display())])
    }

    /// A macro of Debian's, or of ours.
    pub(super) fn set_macros(&self, macros: &[(&str, &str)]) -> Vec<String> {
        let is_fixed = macros.iter().any(|(name, _)| self.host.fixed.contains(*name));
        if self.host.layout == Layout::Own || is_fixed {
            return Vec::new();
        }
        let file = format!("{DIRECTORY}/{}", self.host.layout.local_macros());
        let mut commands = Vec::new();
        for (name, value) in macros {
            if self.host.local_macros.contains(*name) {
                commands.push(format!("sed -i 's/^[[:blank:]]*{name}[[:blank:]]*=/# &/' {file}"));
            }
            commands.push(format!("echo '{name} = {value}' >> {file}"));
        }
        // A value that would end the quotes, or that echo(1) of some shells would read another way, is left to people.
        if macros.iter().any(|(_, value)| value.contains(['\'', '\\'])) {
            commands.clear();
        }
        self.in_force(commands)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::model::sample::{agreements, connectors};
    use crate::mta::exim::host::Host;
    use crate::mta::exim::settings::Settings;

    #[test]
    fn what_is_written_otherwise_is_left_to_people() {
        const SET: &str = "MAIN_ACL_CHECK_RCPT";
        let (settings, agreements) =
            (Settings::default(), agreements(connectors(&["encrypt of a.example"]), vec![]));
        let count = |host: Host| {
            let host = Host { layout: Layout::Split, contrib: Some(PathBuf::from("/contrib")), ..host };
            let patient =
                Patient { settings: &settings, agreements: &agreements, host: &host, config_file: None };
            [patient.install().len(), patient.set_macros(&[(SET, "x")]).len()]
        };
        let set = || [SET.to_owned()].into();
        assert_eq!(count(Host::default()), [4, 3]);
        assert_eq!(count(Host { local_macros: set(), ..Host::default() }), [0, 4]);
        assert_eq!(count(Host { fixed: set(), ..Host::default() }), [0, 0]);
        let ours = |fixed: &[&str]| {
            let fixed = fixed.iter().map(|name| (*name).to_owned()).collect();
            let host = Host { ours: ["transport-options".to_owned()].into(), fixed, ..Host::default() };
            let patient =
                Patient { settings: &settings, agreements: &agreements, host: &host, config_file: None };
            patient.in_all_transports("interface", "x").len()
        };
        assert_eq!((ours(&[]), ours(&["interface"])), (2, 0));
    }
}
