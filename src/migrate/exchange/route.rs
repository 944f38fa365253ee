//! Where Exchange sends the mail of a connector, as `route`.

use super::making::Making;
use super::properties::{Properties, Refusal, shown};
use crate::model::{Host, NextHop};

/// The port that Postfix uses when none is named.
const SMTP: u16 = 25;

/// Smart hosts of a connector: all of them stand in one answer to Postfix.
const MAX_HOSTS: usize = 50;

/// The way of a connector.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// As in `route`; empty for MX.
    pub(super) hosts: Vec<String>,
    /// Whether one of them is an address: no certificate shows a name for it.
    pub(super) has_address: bool,
}

/// Reads smart hosts, all of them with this port.
pub(super) fn smart_hosts(
    of: Properties<'_>,
    name: &str,
    port: u16,
    making: &mut Making,
) -> Result<Way, Refusal> {
    let mut way = Way::default();
    let mut names = false;
    let texts = of.list_there(name)?;
    if texts.len() > MAX_HOSTS {
        return Err(of.refuse(name, format_args!("has {} hosts; {MAX_HOSTS} are the most", texts.len())));
    }
    for text in texts {
        // On premises addresses stand in brackets.
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if bare.contains('/') {
            return Err(of.refuse(
                name,
                format_args!(
                    "has the range {}: mail is sent to a host, and which one of them is not known",
                    shown(text)
                ),
            ));
        }
        let hop = if port == SMTP { format!("[{bare}]") } else { format!("[{bare}]:{port}") };
        let hop = NextHop::parse(&hop).ok().filter(|hop| hop.port().is_none() || port != SMTP);
        let Some(hop) = hop else {
            return Err(
                of.refuse(name, format_args!("has {}, which is neither a host nor an address", shown(text)))
            );
        };
        match hop.host() {
            Host::Name(_) => names = true,
            Host::Address(_) => way.has_address = true,
        }
        let hop = hop.to_string();
        if !way.hosts.contains(&hop) {
            way.hosts.push(hop);
        }
    }
    if way.hosts.is_empty() {
        return Err(
            of.refuse(name, "is empty, and the connector does not use MX records: the mail has no way to go")
        );
    }
    if names {
        making.note(
            "Exchange also takes MX records of a smart host's name; in brackets a name is that of the host itself. Write it \
             without them if it has MX records.",
        );
    }
    Ok(way)
}

/// What cannot be together: Postfix would send mail to our own users there too, and the configuration refuses it.
pub(super) fn refuse_everything(
    of: Properties<'_>,
    name: &str,
    domains: &[String],
    way: &Way,
) -> Result<(), Refusal> {
    if !way.hosts.is_empty() && domains.iter().any(|domain| domain == "*") {
        return Err(of.refuse(
            name,
            "has `*` and the connector smart hosts: that is the way of all mail; set relayhost in main.cf, and make a \
             connector for \"*\" without a route, which follows it",
        ));
    }
    Ok(())
}
