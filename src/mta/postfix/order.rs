//! In which order systemd(1) starts Postfix and the daemon. It asks, and changes nothing.

use std::collections::HashMap;

use crate::mta::unit;

/// The units of the daemon, of which one before Postfix is enough: mail waits at its socket.
const OURS: [&str; 2] = [unit::DAEMON, "connectord.socket"];

/// What starts Postfix; but where it is a oneshot, as in Debian 12, the second does, which may be there without doing it.
const POSTFIX: [&str; 2] = ["postfix.service", "postfix@-.service"];

/// What is there after Postfix.
const LATE: [&str; 3] = ["mail-transport-agent.target", "multi-user.target", "graphical.target"];

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The daemon is first, or one of the two is not started by a unit that is known.
    Fine,
    /// This unit of Postfix does not wait for it.
    Loose(&'static str),
    /// The same, and the daemon's waits for Postfix by this name: with the opposite beside it that is a cycle, of which
    /// systemd leaves somebody out.
    Opposed(&'static str, String),
}

impl Order {
    /// What systemd says.
    pub fn ask() -> Order {
        let said = unit::show("Id,LoadState,Type,Before,After,WantedBy", &[OURS, POSTFIX].concat());
        said.map_or(Order::Fine, |said| Order::of(&said))
    }

    /// From what it says.
    fn of(said: &str) -> Order {
        let units = unit::properties(said);
        let is = |unit: &&HashMap<&str, &str>, name: &str, value: &str| unit.get(name) == Some(&value);
        let loaded =
            |id: &str| units.iter().find(|unit| is(unit, "Id", id) && is(unit, "LoadState", "loaded"));
        let names = |id: &str, property: &str, others: &[&str]| {
            let named = loaded(id).and_then(|unit| unit.get(property)).copied().unwrap_or_default();
            named.split(' ').any(|name| others.contains(&name))
        };
        let starts = |id: &&str| loaded(id).is_some_and(|unit| !is(&unit, "Type", "oneshot"));
        let Some(postfix) = POSTFIX.into_iter().find(starts) else { return Order::Fine };
        // Every socket of sockets.target is there before services begin (systemd.special(7)).
        let is_early = names(OURS[1], "WantedBy", &["sockets.target"]);
        let is_first = |ours: &str| {
            loaded(ours).is_some() && names(postfix, "After", &[ours]) || names(ours, "Before", &[postfix])
        };
        let (Some(_), false) = (loaded(OURS[0]), is_early || OURS.into_iter().any(is_first)) else {
            return Order::Fine;
        };
        let after = loaded(OURS[0]).and_then(|unit| unit.get("After")).copied().unwrap_or_default();
        let waits_for = |name: &&str| name.starts_with("postfix") || LATE.contains(name);
        let is_before = POSTFIX.into_iter().find(|theirs| names(theirs, "Before", &OURS));
        match after.split(' ').find(waits_for).or(is_before) {
            Some(name) => Order::Opposed(postfix, name.to_owned()),
            None => Order::Loose(postfix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_ours_before_postfix_is_enough() {
        // Properties of the daemon's service, of its socket, and of Postfix's two units.
        let said = |service: &str, socket: &str, postfix: &str, instance: &str| {
            let unit = |id: &str, properties: &str| format!("Id={id}\n{}\n", properties.replace("; ", "\n"));
            [
                unit("connectord.service", service),
                unit("connectord.socket", socket),
                unit("postfix.service", postfix),
                unit("postfix@-.service", instance),
            ]
            .join("\n")
        };
        let is = "LoadState=loaded";
        let none = "LoadState=not-found";
        let debian12 = "LoadState=loaded; Type=oneshot; After=connectord.service";
        let debian13 = "LoadState=loaded; Type=forking; After=sysinit.target";
        let loose = Order::Loose;
        let opposed = |unit, name: &str| Order::Opposed(unit, name.to_owned());
        let (old, new) = ("postfix@-.service", "postfix.service");
        for (said, expected) in [
            (said(is, none, debian12, is), loose(old)),
            (said(&format!("{is}; Before=postfix.service"), none, debian12, is), loose(old)),
            (said(is, none, debian13, &format!("{is}; After=connectord.service")), loose(new)),
            (said(&format!("{is}; Before=a.service postfix@-.service"), none, debian12, is), Order::Fine),
            (said(is, &format!("{is}; Before=postfix@-.service"), debian12, is), Order::Fine),
            (said(is, is, debian12, &format!("{is}; After=connectord.socket b")), Order::Fine),
            // What is not there is not first.
            (said(is, none, debian12, &format!("{is}; After=connectord.socket b")), loose(old)),
            (said(is, none, &format!("{debian13} connectord.service"), is), Order::Fine),
            // A socket that comes with all of them.
            (said(is, &format!("{is}; WantedBy=sockets.target"), debian13, is), Order::Fine),
            (said(is, &format!("{is}; WantedBy=a.target"), debian13, is), loose(new)),
            // The opposite is there.
            (said(&format!("{is}; After=a.target postfix.service"), is, debian13, is), opposed(new, new)),
            (said(&format!("{is}; After=postfix.service"), is, debian12, is), opposed(old, new)),
            (
                said(&format!("{is}; After=multi-user.target"), is, debian12, is),
                opposed(old, "multi-user.target"),
            ),
            (said(is, is, &format!("{debian13}; Before=connectord.service"), is), opposed(new, new)),
            // It is started in another way.
            (said(none, none, debian12, is), Order::Fine),
            (String::new(), Order::Fine),
        ] {
            assert_eq!(Order::of(&said), expected, "{said}");
        }
    }
}
