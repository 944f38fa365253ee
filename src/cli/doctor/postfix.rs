//! `connectord doctor postfix`.

use std::path::{Path, PathBuf};

use clap::Args;
use nix::unistd::geteuid;
use serde::Deserialize;

use super::{Agreed, Examined};
use crate::cli::{Failure, Settings, control};
use crate::config::{self, DropIn, ListenProtocol, WeakerReload};
use crate::mta::postfix::doctor::{Patient, Serving, Written, examine};
use crate::mta::postfix::order::Order;
use crate::mta::postfix::postconf;
use crate::mta::postfix::postmap::Postmap;
use crate::mta::postfix::reach::MailOwner;
use crate::server::control::Command;

/// The options of `doctor postfix`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The directory of main.cf and master.cf [default: the one that Postfix was built with]
    #[arg(long, value_name = "DIR")]
    config_dir: Option<PathBuf>,
    /// Write how many findings there are of each severity, as Prometheus reads it
    ///
    /// The exit status is the same; connectord-monitoring(7).
    #[arg(long)]
    pub(super) prometheus: bool,
}

/// Where the units have the sockets of Postfix.
const SOCKETS: &str = "/var/spool/postfix/connectord";

/// Where systems have their file of authorities: Debian, Fedora, openSUSE.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

pub(super) fn examined(options: &Options, agreed: &Agreed<'_>) -> Result<Examined, Failure> {
    // The commands may be run elsewhere.
    let config_directory = options.config_dir.as_deref().map(config::absolute);
    let postfix = postconf::settings(config_directory.as_deref())?;
    let version = postfix.version().map_err(postconf::Error::from)?.to_owned();
    let [socketmap, policy] =
        [ListenProtocol::Socketmap, ListenProtocol::Policy].map(|protocol| agreed.sockets(protocol, SOCKETS));
    let findings = examine(&Patient {
        settings: &postfix,
        agreements: agreed.agreements,
        snapshot: agreed.snapshot,
        sockets: &MailOwner { name: postfix.main("mail_owner").to_owned() },
        serving: &serving(agreed, config_directory.as_deref()),
        written: &written(agreed),
        order: &Order::ask(),
        tables: &Postmap {
            config_directory: config_directory.clone(),
            queue_directory: postfix.main("queue_directory").into(),
        },
        socketmap: &socketmap,
        policy: &policy,
        authorities: AUTHORITIES.map(Path::new).into_iter().find(|file| file.exists()),
        config_directory: config_directory.as_deref(),
    });
    Ok(Examined { mta: "postfix", name: "Postfix", version, findings })
}

/// What is asked of the daemon's status.
#[derive(Deserialize)]
struct Status {
    sha256: String,
}

/// The files, and the commands that are about them.
fn written<'a>(agreed: &Agreed<'a>) -> Written<'a> {
    let Agreed { files, settings, .. } = agreed;
    let main = files.main();
    let command = |name| settings.command(&[name]);
    Written {
        main: main.map_or("", |(name, _)| name),
        texts: main.into_iter().chain(files.included()).collect(),
        new: DropIn::of(&settings.config, files).map(|_| command("new")).unwrap_or_default(),
        reload: command("reload"),
        refuses_weaker: agreed.server.weaker_reload == WeakerReload::Refuse,
    }
}

/// What the daemon that is told of these files says.
fn serving(agreed: &Agreed<'_>, config_directory: Option<&Path>) -> Serving {
    let settings = agreed.settings;
    let status = control::ask::<Status>(settings, Command::Status);
    let sha256 = status.map(|status| status.value.sha256).map_err(|failure| failure.to_string());
    let as_root = if geteuid().is_root() { Vec::new() } else { as_root(settings, config_directory) };
    Serving { sha256, start: agreed.start(), as_root }
}

/// The words of a command that looks at the same as this one, by root.
fn as_root(settings: &Settings, config_directory: Option<&Path>) -> Vec<String> {
    let mut words = settings.command(&["doctor", "postfix"]);
    if let Some(directory) = config_directory {
        words.extend(["--config-dir".to_owned(), directory.display().to_string()]);
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn root_looks_at_the_same() {
        for (options, directory, expected) in [
            ("", None, ""),
            ("--json --config /a.toml", None, " --config /a.toml"),
            (
                "--runtime-dir /run/b",
                Some("/etc/postfix-b"),
                " --runtime-dir /run/b --config-dir /etc/postfix-b",
            ),
        ] {
            let Line { settings } = Line::parse_from([""].into_iter().chain(options.split_whitespace()));
            let words = as_root(&settings, directory.map(Path::new));
            assert_eq!(words.join(" "), format!("connectord doctor postfix{expected}"));
        }
    }
}
