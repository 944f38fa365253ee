//! The options that every command takes.
//!
//! An option comes before systemd's environment variable for the same directory, and that before
//! the default, so that a command typed beside a running unit finds what the unit uses, and one
//! typed in a checkout can stay in it. Nothing is created or looked at here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config;

const CONFIGURATION: &str = "/etc/connectord/connectord.toml";

const RUNTIME: &str = "/run/connectord";

const STATE: &str = "/var/lib/connectord";

/// Where things are, and how results are written.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// The configuration file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = CONFIGURATION,
        help_heading = "Everywhere"
    )]
    pub config: PathBuf,
    /// The directory of the sockets whose path is relative [default: $RUNTIME_DIRECTORY, else
    /// /run/connectord]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    runtime_dir: Option<PathBuf>,
    /// The directory of what outlives a run: the last good configuration, and the results of
    /// `validate` [default: $STATE_DIRECTORY, else /var/lib/connectord]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    state_dir: Option<PathBuf>,
    /// Write results as JSON
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
}

impl Settings {
    /// The directory of the sockets.
    pub fn runtime_dir(&self) -> PathBuf {
        directory(self.runtime_dir.as_deref(), std::env::var_os("RUNTIME_DIRECTORY"), RUNTIME)
    }

    /// Whether the files and the sockets are where the units have them.
    pub fn are_usual(&self) -> bool {
        self.config == Path::new(CONFIGURATION) && self.runtime_dir() == Path::new(RUNTIME)
    }

    /// The words of a command that finds the same daemon, from wherever it is run, and by whom.
    pub fn command(&self, names: &[&str]) -> Vec<String> {
        self.command_where(names, std::env::var_os("RUNTIME_DIRECTORY"))
    }

    fn command_where(&self, names: &[&str], variable: Option<OsString>) -> Vec<String> {
        let text = |path: &Path| config::absolute(path).display().to_string();
        let mut words: Vec<String> =
            ["connectord"].iter().chain(names).map(|&word| word.to_owned()).collect();
        if self.config != Path::new(CONFIGURATION) {
            words.extend(["--config".to_owned(), text(&self.config)]);
        }
        // Whoever runs it has another environment.
        let runtime = directory(self.runtime_dir.as_deref(), variable, RUNTIME);
        if self.runtime_dir.is_some() || runtime != Path::new(RUNTIME) {
            words.extend(["--runtime-dir".to_owned(), text(&runtime)]);
        }
        words
    }

    /// The directory of what outlives a run.
    pub fn state_dir(&self) -> PathBuf {
        directory(self.state_dir.as_deref(), std::env::var_os("STATE_DIRECTORY"), STATE)
    }
}

/// systemd.exec(5), `RuntimeDirectory=` and `StateDirectory=`: several directories are separated by colons; the first
/// one is ours.
fn directory(option: Option<&Path>, variable: Option<OsString>, default: &str) -> PathBuf {
    if let Some(option) = option {
        return option.to_owned();
    }
    let variable = variable.as_ref().and_then(|value| value.to_str());
    let first = variable.and_then(|value| value.split(':').next()).filter(|first| !first.is_empty());
    PathBuf::from(first.unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_comes_before_the_environment() {
        let table: [(Option<&str>, Option<&str>, &str); 5] = [
            (Some("/a"), Some("/b"), "/a"),
            (None, Some("/b"), "/b"),
            (None, Some("/b:/c"), "/b"),
            (None, Some(""), RUNTIME),
            (None, None, RUNTIME),
        ];
        for (option, variable, expected) in table {
            let found = directory(option.map(Path::new), variable.map(OsString::from), RUNTIME);
            assert_eq!(found, Path::new(expected), "{option:?} {variable:?}");
        }
    }

    #[test]
    fn a_command_says_what_somebody_else_does_not_have() {
        let settings = |config: &str, runtime_dir: Option<&str>| Settings {
            config: config.into(),
            runtime_dir: runtime_dir.map(PathBuf::from),
            state_dir: None,
            json: true,
        };
        let names = ["doctor", "postfix"];
        for (settings, variable, expected) in [
            (settings(CONFIGURATION, None), None, ""),
            (settings(CONFIGURATION, None), Some("/run/connectord"), ""),
            (settings(CONFIGURATION, None), Some("/run/b:/c"), " --runtime-dir /run/b"),
            (settings("/a.toml", Some("/a")), Some("/b"), " --config /a.toml --runtime-dir /a"),
            (settings(CONFIGURATION, Some(RUNTIME)), None, " --runtime-dir /run/connectord"),
        ] {
            let words = settings.command_where(&names, variable.map(OsString::from));
            assert_eq!(words.join(" "), format!("connectord doctor postfix{expected}"), "{variable:?}");
        }
    }
}
