//! What systemd(1) knows of units. It is asked, and changes nothing.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::program::{self, Bounds, Ended};

/// There where systemd is the first process (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";

/// What systemctl(1) may take.
const BOUNDS: Bounds = Bounds { patience: Duration::from_secs(5), octets: 256 << 10 };

/// The unit of the daemon.
pub const DAEMON: &str = "connectord.service";

/// Properties of some units, as `systemctl show` writes them; `None` where systemd is not there or does not tell.
pub fn show(properties: &str, units: &[&str]) -> Option<String> {
    if !Path::new(SYSTEMD).is_dir() {
        return None;
    }
    let mut command = Command::new("systemctl");
    command.args(["show", &format!("--property={properties}"), "--"]).args(units);
    match program::run(&mut command, Vec::new(), BOUNDS) {
        Ok(Ended { code: Some(0), out, .. }) => Some(out),
        Ok(_) | Err(_) => None,
    }
}

/// Units with an empty line between them, each property on a line of its own.
pub fn properties(said: &str) -> Vec<HashMap<&str, &str>> {
    let units = said.split("\n\n");
    units.map(|unit| unit.lines().filter_map(|line| line.split_once('=')).collect()).collect()
}

/// The command that starts the daemon, where it has a unit and does not run.
pub fn start() -> Vec<String> {
    show("LoadState,ActiveState", &[DAEMON]).map(|said| starting(&said)).unwrap_or_default()
}

fn starting(said: &str) -> Vec<String> {
    let units = properties(said);
    let Some(unit) = units.first() else { return Vec::new() };
    let is_idle = ["inactive", "failed"].iter().any(|state| unit.get("ActiveState") == Some(state));
    let is_there = unit.get("LoadState") == Some(&"loaded");
    if is_there && is_idle { vec![format!("systemctl start {DAEMON}")] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_and_idle_is_started() {
        for (said, expected) in [
            ("LoadState=loaded\nActiveState=inactive\n", true),
            ("LoadState=loaded\nActiveState=failed\n", true),
            ("LoadState=loaded\nActiveState=active\n", false),
            ("LoadState=loaded\nActiveState=activating\n", false),
            ("LoadState=masked\nActiveState=inactive\n", false),
            ("LoadState=not-found\nActiveState=inactive\n", false),
            ("", false),
        ] {
            assert_eq!(!starting(said).is_empty(), expected, "{said}");
        }
    }
}
