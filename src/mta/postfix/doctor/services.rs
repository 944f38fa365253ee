//! Services that the daemon's map names and that master.cf does not have: the mail that is given to them waits (qmgr(8),
//! "mail transport unavailable").

use std::collections::BTreeMap;

use super::kinds::SERVICE_MISSING;
use super::tables::{MAP, NAME as POLICIES};
use super::ways::Ways;
use super::{Patient, quoted, typed};
use crate::model::Level;
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::Service;

/// What `contrib/postfix/master.cf.connectord` says besides the policy table and the level. The authorities are main.cf's,
/// for a file that is not there would leave smtp(8) without any TLS.
const STRICT: [(&str, &str); 7] = [
    ("smtp_tls_fingerprint_digest", "sha256"),
    ("tls_required_enable", "no"),
    ("smtp_fallback_relay", ""),
    ("smtp_connection_cache_on_demand", "no"),
    ("smtp_connection_cache_destinations", ""),
    ("smtp_tls_connection_reuse", "no"),
    ("smtp_tls_loglevel", "1"),
];

/// Those that mail of connectors was seen to be sent by.
pub(super) fn missing(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (number, connector) in patient.agreements.outbound.iter().enumerate() {
        let service = patient.service_of(number);
        let is_there = patient.settings.service(&format!("{service}/unix")).is_some();
        if !is_there && ways.lead_to(number, service) {
            missing.entry(service).or_default().push(connector.name.to_string());
        }
    }
    let told = missing.into_iter().map(|(service, connectors)| Finding {
        kind: &SERVICE_MISSING,
        message: "master.cf does not have the service that mail of these connectors is given to, and it waits; what mends it \
                  is the service of contrib/postfix/master.cf.connectord"
            .to_owned(),
        connectors,
        place: format!("master.cf: {service}/unix"),
        mend: typed(patient.added(service)),
    });
    told.collect()
}

impl<'p> Patient<'p> {
    /// The commands that add such a service.
    fn added(&self, name: &str) -> Vec<String> {
        let smtp = || self.settings.running("smtp");
        // The new one is where the others are.
        let Some(path) = self.as_asked(self.socketmap, smtp()) else { return Vec::new() };
        let chroot = smtp().next().map_or(
            "-",
            |other: &Service| {
                if self.settings.is_chrooted(other) { "y" } else { "n" }
            },
        );
        let told = self.agreements.mta.level;
        let level = if Level::Encrypt >= told { Level::Encrypt } else { told };
        let mut entry = format!(
            "{name} unix - - {chroot} - - smtp -o syslog_name=postfix/{name} -o smtp_tls_security_level={} -o \
             {POLICIES}=socketmap:unix:{path}:{MAP}",
            level.word()
        );
        for (setting, value) in STRICT.iter().filter(|(setting, _)| self.settings.has(setting)) {
            entry.push_str(&format!(" -o {setting}={value}"));
        }
        // What Postfix would take apart.
        if path.contains(|c: char| c.is_whitespace() || "{},$".contains(c)) {
            return Vec::new();
        }
        let entry = quoted(&format!("{name}/unix={entry}"));
        vec![self.command("postconf", &format!("-M {entry}")), self.reload()]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::super::sample::found_of;
    use crate::model::Level;
    use crate::model::mta::TransportName;
    use crate::model::sample::{agreements, connectors};

    #[test]
    fn a_service_is_missing_where_mail_is_given_to_it() {
        let mut all =
            agreements(connectors(&["encrypt of a.example", "encrypt of b.example", "may of *"]), Vec::new());
        all.outbound[1].transport = TransportName::parse("partner");
        let ours = "transport_maps = socketmap:unix:connectord/socketmap.sock:transport";
        let found = found_of(ours, "", &all);
        let [[id, place, names, command]] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (id.as_str(), place.as_str(), names.as_str()),
            ("postfix-service-missing", "master.cf: partner/unix", "c1")
        );
        assert_eq!(
            command,
            "postconf -M 'partner/unix=partner unix - - y - - smtp -o syslog_name=postfix/partner -o \
             smtp_tls_security_level=encrypt -o smtp_tls_policy_maps=socketmap:unix:connectord/socketmap.sock:tls \
             -o smtp_tls_fingerprint_digest=sha256 -o tls_required_enable=no -o smtp_fallback_relay= -o \
             smtp_connection_cache_on_demand=no -o smtp_connection_cache_destinations='"
        );
        // Nobody is asked for a way.
        all.outbound[1].transport = None;
        all.mta.transport = TransportName::parse("partner").unwrap_or_else(|| panic!("a name"));
        assert_eq!(found_of("relayhost =", "", &all).len(), 0);
        // A level that was told is not gone below.
        let mut all = agreements(connectors(&["secure x.example of a.example"]), Vec::new());
        all.mta.level = Level::Verify;
        all.outbound[0].transport = TransportName::parse("partner");
        let found = found_of(ours, "", &all);
        assert!(
            found.iter().any(|[.., command]| command.contains("smtp_tls_security_level=verify ")),
            "{found:?}"
        );
    }
}
