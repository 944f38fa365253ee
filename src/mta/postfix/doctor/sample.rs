//! A Postfix with which nothing is wrong, for tests that change something about it.

#![allow(clippy::unwrap_used)]
use std::collections::HashMap;

use super::written_tests::written;
use super::*;
use crate::mta::postfix::patterns::Line;
use crate::mta::postfix::postmap::Answers;
use crate::mta::postfix::reach::{Dialect, Unreached};
use crate::mta::postfix::settings::{Said, tables};
use crate::snapshot;

/// Tables that have their entries in their names: `inline:{a=b}`, `hash:/c` has none, `pcre:a=b` does not tell them, is not
/// asked for those that are `late`, and `fail:` is none.
pub(super) struct Shelf;

/// A daemon that answers, by the files.
pub(super) struct Reached;

impl Sockets for Reached {
    fn reach(&self, _: &Path, _: Dialect) -> Result<(), Unreached> {
        Ok(())
    }

    fn let_in(&self, _: &Path, _: &Path) -> Vec<String> {
        Vec::new()
    }
}

pub(super) fn serving() -> Serving {
    Serving { sha256: Ok(String::new()), start: Vec::new(), as_root: Vec::new() }
}

impl Shelf {
    fn entries(table: &str) -> Result<HashMap<String, String>, String> {
        let (kind, rest) = table.split_once(':').unwrap();
        if kind == "fail" {
            return Err("no such table".to_owned());
        }
        let rest = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(rest);
        let entries = tables(rest).into_iter().filter_map(|entry| {
            let entry = entry.strip_prefix('{').and_then(|entry| entry.strip_suffix('}')).unwrap_or(entry);
            let (key, value) = entry.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().to_owned()))
        });
        Ok(entries.collect())
    }
}

impl Tables for Shelf {
    fn list(&self, table: &str) -> Result<HashMap<String, String>, String> {
        Shelf::entries(table)
    }

    fn lines(&self, table: &str) -> Option<Result<Vec<Line>, String>> {
        ["pcre:", "cidr:"].iter().any(|kind| table.starts_with(kind)).then(|| {
            let all = Shelf::entries(table)?.into_iter();
            Ok(all.map(|(pattern, answer)| Line { pattern, answer }).collect())
        })
    }

    fn ask(&self, table: &str, keys: &[String]) -> Result<Answers, String> {
        let all = Shelf::entries(table)?.into_iter();
        let (found, late): (HashMap<_, _>, HashMap<_, _>) =
            all.filter(|(key, _)| keys.contains(key)).partition(|(_, value)| value != "late");
        Ok(Answers { found, unasked: late.into_keys().collect() })
    }
}

pub(super) const SERVICES: &str = "\
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
rewrite unix - - y - - trivial-rewrite
tlsmgr unix - - y 1000? 1 tlsmgr
smtp-amavis unix - - y - 2 smtp
127.0.0.1:10025 inet n - y - - smtpd
smtp unix - - y - - smtp
relay unix - - y - - smtp
connectord-smtp unix - - y - - smtp
lmtp unix - - y - - lmtp
proxymap unix - - n - - proxymap
error unix - - y - - error
";

/// Settings with which nothing is wrong.
pub(super) const RIGHT: &str = "\
mail_version = 3.10.13
queue_directory = /var/spool/postfix
smtp_tls_policy_maps = socketmap:unix:connectord/socketmap.sock:tls
smtp_tls_security_level = may
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
smtp_tls_CApath =
smtp_tls_fingerprint_digest = sha256
smtp_tls_session_cache_database =
smtp_connection_cache_on_demand = no
smtp_connection_cache_destinations =
smtp_fallback_relay =
tls_required_enable = no
smtpd_delay_reject = yes
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = check_policy_service unix:connectord/policy.sock
smtpd_data_restrictions = check_policy_service unix:connectord/policy.sock
smtpd_policy_service_default_action = 451 4.3.5 Server configuration problem
smtpd_tls_security_level = may
smtpd_tls_ask_ccert = yes
smtpd_tls_fingerprint_digest = sha256
default_transport = smtp
relay_transport = relay
relay_domains = hash:/etc/postfix/relay_domains
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
relayhost =
transport_maps =
";

pub(super) const SOCKET: &str = "/var/spool/postfix/connectord/socketmap.sock";

pub(super) const POLICY: &str = "/var/spool/postfix/connectord/policy.sock";

/// Id, place, connectors and first command of each finding, with one line of main.cf instead of the right one and
/// this for services alone.
pub(super) fn found_of(main: &str, own: &str, agreements: &Agreements) -> Vec<[String; 4]> {
    let told = |finding: Finding| {
        let comes_into_force = |last: &String| last == "postfix reload" || last.starts_with("connectord ");
        assert!(finding.mend.last().is_none_or(comes_into_force), "{finding:?}");
        let first = finding.mend.first().cloned().unwrap_or_default();
        [finding.kind.id.to_owned(), finding.place, finding.connectors.join(" "), first]
    };
    examined(main, own, agreements, &Reached, &serving()).into_iter().map(told).collect()
}

pub(super) fn examined(
    main: &str,
    own: &str,
    agreements: &Agreements,
    sockets: &dyn Sockets,
    serving: &Serving,
) -> Vec<Finding> {
    let name = main.split(" =").next().unwrap();
    let right: String = RIGHT
        .lines()
        .filter(|line| line.split(" =").next() != Some(name))
        .map(|line| format!("{line}\n"))
        .collect();
    let main = format!("{right}{main}\n");
    let said = Said { main: &main, main_written: &main, services: SERVICES, own, own_written: own };
    let settings = Settings::parse(&said).unwrap();
    let [socketmap, policy] = [SOCKET, POLICY].map(|path| [PathBuf::from(path)]);
    let snapshot = snapshot::compile(agreements, 0, String::new()).unwrap();
    let patient = Patient {
        settings: &settings,
        agreements,
        snapshot: &snapshot,
        tables: &Shelf,
        sockets,
        serving,
        written: &written(),
        order: &Order::Fine,
        socketmap: &socketmap,
        policy: &policy,
        authorities: Some(Path::new("/etc/ssl/certs/ca-certificates.crt")),
        config_directory: None,
    };
    examine(&patient)
}
