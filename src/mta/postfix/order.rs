//! In which order systemd(1) starts Postfix and the daemon. It asks, and changes nothing.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::mta::program::{self, Bounds, Ended};

/// There where systemd is the first process (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";

/// What systemctl(1) may take.
const BOUNDS: Bounds = Bounds { patience: Duration::from_secs(5), octets: 256 << 10 };

/// The units of the daemon, of which one before Postfix is enough: mail waits at its socket.
const OURS: [&str; 2] = ["connectord.service", "connectord.socket"];

/// What starts Postfix; but where it is a oneshot, as in Debian 12, the second does, which may be there without doing it.
const POSTFIX: [&str; 2] = ["postfix.service", "postfix@-.service"];

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The daemon is first, or one of the two is not started by a unit that is known.
    Fine,
    /// This unit of Postfix does not wait for it.
    Loose(&'static str),
}

impl Order {
    /// What systemd says.
    pub fn ask() -> Order {
        if !Path::new(SYSTEMD).is_dir() {
            return Order::Fine;
        }
        let mut command = Command::new("systemctl");
        command.args(["show", "--property=Id,LoadState,Type,Before,After", "--"]).args(OURS).args(POSTFIX);
        match program::run(&mut command, Vec::new(), BOUNDS) {
            Ok(Ended { code: Some(0), out, .. }) => Order::of(&out),
            Ok(_) | Err(_) => Order::Fine,
        }
    }

    /// From its output: units with an empty line between them, each property on a line of its own.
    fn of(said: &str) -> Order {
        let units: Vec<HashMap<&str, &str>> = said
            .split("\n\n")
            .map(|unit| unit.lines().filter_map(|line| line.split_once('=')).collect())
            .collect();
        let is = |unit: &&HashMap<&str, &str>, name: &str, value: &str| unit.get(name) == Some(&value);
        let loaded =
            |id: &str| units.iter().find(|unit| is(unit, "Id", id) && is(unit, "LoadState", "loaded"));
        let names = |id: &str, property: &str, others: &[&str]| {
            let named = loaded(id).and_then(|unit| unit.get(property)).copied().unwrap_or_default();
            named.split(' ').any(|name| others.contains(&name))
        };
        let starts = |id: &&str| loaded(id).is_some_and(|unit| !is(&unit, "Type", "oneshot"));
        let Some(postfix) = POSTFIX.into_iter().find(starts) else { return Order::Fine };
        let is_ours_first =
            names(postfix, "After", &OURS) || OURS.iter().any(|ours| names(ours, "Before", &[postfix]));
        match loaded(OURS[0]) {
            Some(_) if !is_ours_first => Order::Loose(postfix),
            Some(_) | None => Order::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_ours_before_postfix_is_enough() {
        let said = |ours: (&str, &str), socket: &str, old: (&str, &str), new: &str| {
            let kind = if old.0 == "used" { "oneshot" } else { "forking" };
            format!(
                "Id=connectord.service\nBefore={}\nAfter=\nLoadState={}\n\nId=connectord.socket\nBefore={socket}\nAfter=\n\
                 LoadState=loaded\n\nId=postfix.service\nType={kind}\nAfter=sysinit.target {new}\nBefore=\n\
                 LoadState=loaded\n\nType=forking\nId=postfix@-.service\nBefore=\nAfter={}\nLoadState=loaded\n",
                ours.1, ours.0, old.1
            )
        };
        let (debian12, debian13) = (Order::Loose("postfix@-.service"), Order::Loose("postfix.service"));
        for (said, expected) in [
            (said(("loaded", "shutdown.target"), "", ("used", ""), ""), &debian12),
            (
                said(("loaded", "postfix.service"), "postfix.service", ("used", ""), "connectord.service"),
                &debian12,
            ),
            (said(("loaded", ""), "", ("unused", "connectord.service"), ""), &debian13),
            (said(("loaded", "a.service postfix@-.service"), "", ("used", ""), ""), &Order::Fine),
            (said(("loaded", ""), "postfix@-.service", ("used", ""), ""), &Order::Fine),
            (said(("loaded", ""), "", ("used", "connectord.socket b"), ""), &Order::Fine),
            (said(("loaded", ""), "", ("unused", ""), "connectord.service"), &Order::Fine),
            // It is started in another way.
            (said(("not-found", ""), "", ("used", ""), ""), &Order::Fine),
            (String::new(), &Order::Fine),
        ] {
            assert_eq!(&Order::of(&said), expected, "{said}");
        }
    }
}
