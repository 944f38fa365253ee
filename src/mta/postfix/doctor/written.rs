//! Commands that change what is written in the files of the daemon. A command is given only where the line that it changes
//! looks as it usually does: everything else is for an editor, and what sed(1) would change besides stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::quoted;
use crate::config;
use crate::model::{Inbound, Mode};

/// What sed(1) does to the line of an action.
const TO_DEFER: &str = r"s/^\([[:blank:]]*on_violation[[:blank:]]*=[[:blank:]]*.\)hold/\1defer/";

/// What changes a file, and not a link to it.
const SED: &str = "sed -i --follow-symlinks";

/// Domains in one command; who has more knows better where they come from.
const DOMAINS: usize = 100;

/// The files of the daemon, and how it is told of a change.
#[derive(Debug, Default)]
pub struct Written<'p> {
    /// The main file, as its path was given.
    pub main: &'p str,
    /// The texts of that file and of those that it includes, by their paths.
    pub texts: BTreeMap<&'p str, &'p str>,
    /// The words of the command that makes a connector; none if no directory is included that it could write into.
    pub new: Vec<String>,
    /// The words of the command that makes the daemon read the files.
    pub reload: Vec<String>,
    /// Whether the daemon refuses what is weaker than before (`weaker_reload`).
    pub refuses_weaker: bool,
}

impl Written<'_> {
    /// The commands that write these into `own_domains`. `is_read`: the daemon answers by the files as they are now.
    pub(super) fn own_domains<'d>(
        &self,
        domains: impl Iterator<Item = &'d str>,
        is_read: bool,
    ) -> Vec<String> {
        let normal = domains.map(|domain| crate::model::domain::normalise(domain).ok());
        let Some(names) =
            normal.collect::<Option<BTreeSet<_>>>().filter(|names| (1..=DOMAINS).contains(&names.len()))
        else {
            return Vec::new();
        };
        let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let Some(text) = self.text(self.main) else { return Vec::new() };
        let file = path(self.main);
        let lines = || text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
        let lists: Vec<&str> = lines().filter(|line| line.contains("own_domains")).collect();
        let tables: Vec<&str> = lines().filter(|line| is_about_mta(line)).collect();
        let change = match (&lists[..], &tables[..]) {
            ([line], _) => {
                if !value_of(line, "own_domains").is_some_and(|value| value.starts_with('[')) {
                    return Vec::new();
                }
                let script = format!("s/^[[:blank:]]*own_domains[[:blank:]]*=[[:blank:]]*\\[/&{list}, /");
                format!("{SED} {} {file}", quoted(&script))
            }
            // Whoever runs it twice, or for two findings, has it once.
            ([], [table]) if table.starts_with("[mta]") => {
                let script = format!("/^[[:blank:]]*\\[mta\\]/a own_domains = [{list}]");
                format!("grep -q '^[[:blank:]]*own_domains' {file} || {SED} {} {file}", quoted(&script))
            }
            ([], []) => format!(
                "grep -q '^[[:blank:]]*\\[mta\\]' {file} || printf '\\n[mta]\\nown_domains = [{list}]\\n' >> {file}"
            ),
            _ => return Vec::new(),
        };
        // Mail for us is no partner's any more. Where something else waits to be accepted, nobody has said so of that.
        let leave = if self.refuses_weaker && is_read { " --accept-weaker" } else { "" };
        vec![change, format!("{}{leave}", self.reload())]
    }

    /// The commands by which these connectors defer what they would hold.
    pub(super) fn deferred<'c>(&self, connectors: impl Iterator<Item = &'c Inbound>) -> Vec<String> {
        let mut scripts: BTreeMap<&str, String> = BTreeMap::new();
        for connector in connectors {
            let file = &*connector.place.file;
            let Some(number) = self.text(file).and_then(|text| line_of_hold(text, connector.place.line))
            else {
                return Vec::new();
            };
            let script = scripts.entry(file).or_default();
            // Of a line that is another one meanwhile nothing is changed.
            script.push_str(&format!(" -e {}", quoted(&format!("{number}{TO_DEFER}"))));
        }
        let mut commands: Vec<String> =
            scripts.into_iter().map(|(file, script)| format!("{SED}{script} {}", path(file))).collect();
        if !commands.is_empty() {
            commands.push(self.reload());
        }
        commands
    }

    /// The command that makes an outbound connector of this name for a host.
    pub(super) fn connector(&self, name: &str, host: &str, demands: &[&str], mode: Mode) -> Vec<String> {
        if self.new.is_empty() {
            return Vec::new();
        }
        let answers = ["--yes", "--direction", "outbound", "--name", name, "--domains", host];
        let mode = ["--mode", mode.word(), "--reload"];
        let own = self.new.iter().map(String::as_str);
        vec![command(own.chain(answers).chain(demands.iter().copied()).chain(mode))]
    }

    /// A file, but one in which a line may be within a text.
    fn text(&self, file: &str) -> Option<&str> {
        self.texts.get(file).copied().filter(|text| !text.contains("\"\"\"") && !text.contains("'''"))
    }

    /// The command that makes the daemon read the files.
    pub(super) fn reload(&self) -> String {
        command(self.reload.iter().map(String::as_str))
    }
}

/// Whether a line begins the table `[mta]`, or is something of it that stands elsewhere.
fn is_about_mta(line: &str) -> bool {
    let name = line.trim_start_matches(['[', ' ', '\t', '"', '\'']);
    name.strip_prefix("mta").is_some_and(|rest| rest.starts_with([']', ' ', '\t', '"', '\'', '.', '=']))
}

/// What stands behind the name of a key and the sign.
fn value_of<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    Some(line.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim_start())
}

/// The line on which the table that begins on this one has `on_violation = "hold"`, and says "hold" there first.
fn line_of_hold(text: &str, header: usize) -> Option<usize> {
    let mut lines = (1..).zip(text.lines()).skip(header);
    let within = lines.by_ref().take_while(|(_, line)| !line.trim_start().starts_with('['));
    let mut found = within.filter(|(_, line)| {
        let value = value_of(line.trim_start(), "on_violation");
        value.is_some_and(|value| ["\"hold\"", "'hold'"].iter().any(|word| value.starts_with(word)))
    });
    found.next().map(|(number, _)| number)
}

/// A file, in a command that may be run elsewhere.
fn path(file: &str) -> String {
    quoted(&config::absolute(Path::new(file)).display().to_string())
}

/// Words as a command.
pub(super) fn command<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.map(quoted).collect::<Vec<_>>().join(" ")
}
