//! What a result is bound to: the settings of a connector that decide whom it tests and how.
//!
//! Two connectors have the same digest exactly when a test of one says all about the other. The
//! order of domains, names and digests does not count, nor where a file lies: its certificates do.
//! The mode does not count, so that a connector that was tested while `off` or in `report` is still
//! validated when it is switched on; nor do notes, overrides and the service of master.cf.
//! Of a smart host that several connectors use, what all of them demand counts.
//! Nothing of `[mta]` changes whom a connector meets or what it demands of them, so it has no part.

use std::fmt::Display;

use sha2::{Digest, Sha256};

use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::pattern::Entry;
use crate::model::requirement::{Anchors, CipherGrade, Requirement, TlsVersion};
use crate::model::{Inbound, Outbound, PatternSet};
use crate::snapshot::Snapshot;
use crate::validate::demands::{Demands, demands};

/// Lower-case hex of the SHA-256 of an outbound connector's settings. At smart hosts the demands of
/// other connectors are among them ([`demands`]); without a snapshot, which connectors that contradict
/// each other have none of, it is as if there were no others.
pub fn of_outbound(connector: &Outbound, snapshot: Option<&Snapshot>) -> String {
    let mut settings = Settings::of("outbound", connector.name.as_str());
    let requirement = &connector.requirement;
    settings.requirement(requirement);
    settings.entries("domains", connector.domains.entries());
    settings.entries("except", connector.except.entries());
    match &connector.route {
        Route::Mx => settings.list("mx", [""; 0]),
        // Their order is the order in which Postfix tries them.
        Route::SmartHosts(hosts) => {
            settings.list("smart hosts", hosts);
            if let Some(snapshot) = snapshot {
                settings.demands(&demands(connector, snapshot));
            }
        }
    }
    settings.finish()
}

/// The same of an inbound connector, of which the registered certificates are judged.
pub fn of_inbound(connector: &Inbound) -> String {
    let mut settings = Settings::of("inbound", connector.name.as_str());
    if let Some(wanted) = &connector.require.certificate {
        match &wanted.names {
            None => settings.list("registered", [""; 0]),
            Some(names) => settings.entries("names", names.entries()),
        }
        settings.sorted("certificates", wanted.registered.iter().map(|file| file.certificate.fingerprint()));
    }
    settings.finish()
}

/// A list of named lists, each text with its length before it, so that no two make the same bytes.
struct Settings(Sha256);

impl Settings {
    fn of(direction: &str, name: &str) -> Settings {
        let mut settings = Settings(Sha256::new_with_prefix(b"connectord settings 1\n"));
        settings.list(direction, [name]);
        settings
    }

    fn text(&mut self, text: &str) {
        self.0.update(format!("{}:", text.len()));
        self.0.update(text);
    }

    fn list<T: Display>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        let items: Vec<T> = items.into_iter().collect();
        self.text(key);
        self.0.update(format!("{};", items.len()));
        for item in items {
            self.text(&item.to_string());
        }
    }

    fn sorted<T: Display + Ord>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        let mut items: Vec<T> = items.into_iter().collect();
        items.sort_unstable();
        items.dedup();
        self.list(key, items);
    }

    fn entries<'e>(&mut self, key: &str, entries: impl Iterator<Item = Entry<'e>>) {
        self.sorted(key, entries);
    }

    fn requirement(&mut self, requirement: &Requirement) {
        self.list("level", [requirement.level()]);
        match requirement.names() {
            Names::Any => self.list("any name", [""; 0]),
            Names::MxHost => self.list("name of the host", [""; 0]),
            Names::Domain => self.list("name of the domain", [""; 0]),
            Names::Set(patterns) => self.entries("names", PatternSet::entries(patterns)),
        }
        match requirement.anchors() {
            Anchors::Any => self.list("no chain", [""; 0]),
            Anchors::System => self.list("authorities of the system", [""; 0]),
            Anchors::File(file) => self.sorted("authorities", &file.certificates),
        }
        self.sorted("pins", requirement.pins().into_iter().flatten());
        self.list("version", requirement.min_version().map(TlsVersion::word));
        self.list("ciphers", requirement.ciphers().map(CipherGrade::word));
        self.list("servername", requirement.servername());
    }

    fn demands(&mut self, demands: &Demands) {
        for (host, demand) in demands {
            self.list("at", [host]);
            match demand {
                Ok(requirement) => self.requirement(requirement),
                Err(reason) => self.list("cannot be joined", [reason]),
            }
        }
    }

    fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::model::certificate::Fingerprint;
    use crate::model::requirement::{CaFile, Parts, ServerName};
    use crate::model::sample::{outbound, patterns, smart_hosts};
    use crate::model::{Level, Mode};

    fn bank() -> Outbound {
        outbound("bank", &["*.contoso.com", "contoso.net"], "secure a.b *.c.d")
    }

    fn with(change: impl FnOnce(&mut Outbound)) -> Outbound {
        let mut connector = bank();
        change(&mut connector);
        connector
    }

    fn demanding(change: impl FnOnce(&mut Parts)) -> Outbound {
        let names = bank().requirement.names().clone();
        let mut parts = Parts { names: Some(names), ..Parts::of_level(Level::Secure) };
        change(&mut parts);
        with(|connector| connector.requirement = Requirement::new(parts).unwrap())
    }

    fn ca(path: &str, pem: &str, certificates: &[&str]) -> Option<Arc<CaFile>> {
        let certificates = certificates.iter().map(|text| Fingerprint::of(text.as_bytes())).collect();
        Some(Arc::new(CaFile { path: path.into(), pem: pem.into(), sha256: String::new(), certificates }))
    }

    fn pinned(texts: &[&str]) -> Outbound {
        let pins: BTreeSet<_> = texts.iter().map(|text| Fingerprint::of(text.as_bytes())).collect();
        let parts = Parts { pins, ..Parts::of_level(Level::Fingerprint) };
        with(|connector| connector.requirement = Requirement::new(parts).unwrap())
    }

    #[test]
    fn what_does_not_count() {
        let same = [
            ("mode", with(|c| c.mode = Mode::Off)),
            (
                "the order of domains",
                with(|c| c.domains = patterns(&["contoso.net", "*.contoso.com"]).into()),
            ),
            (
                "another spelling",
                with(|c| c.domains = patterns(&["CONTOSO.net", "contoso.com", ".contoso.com"]).into()),
            ),
            (
                "the order of names",
                with(|c| c.requirement = outbound("x", &["y.z"], "secure *.c.d a.b").requirement),
            ),
            ("overrides", with(|c| c.overrides.push("everyone".to_owned()))),
            ("comment", with(|c| c.notes.comment = Some("x".to_owned()))),
            ("recipients of the test mail", with(|c| c.validate_recipients.push("a@b".to_owned()))),
        ];
        for (name, connector) in same {
            assert_eq!(of_outbound(&connector, None), of_outbound(&bank(), None), "{name}");
        }
        let moved = demanding(|parts| parts.ca_file = ca("/b.pem", "# a comment", &["1", "2"]));
        let first = demanding(|parts| parts.ca_file = ca("/a.pem", "", &["2", "1"]));
        assert_eq!(of_outbound(&first, None), of_outbound(&moved, None));
    }

    #[test]
    fn what_counts() {
        let all = [
            ("as it was", bank()),
            ("name", outbound("other", &["*.contoso.com", "contoso.net"], "secure a.b *.c.d")),
            ("level", with(|c| c.requirement = outbound("x", &["y.z"], "verify a.b *.c.d").requirement)),
            ("names", with(|c| c.requirement = outbound("x", &["y.z"], "secure a.b .c.d").requirement)),
            (
                "names of the domain",
                with(|c| c.requirement = outbound("x", &["y.z"], "secure domain").requirement),
            ),
            ("the name of the host", with(|c| c.requirement = outbound("x", &["y.z"], "verify").requirement)),
            ("no name", with(|c| c.requirement = outbound("x", &["y.z"], "encrypt").requirement)),
            ("authorities", demanding(|parts| parts.ca_file = ca("/a.pem", "", &["1"]))),
            ("other authorities", demanding(|parts| parts.ca_file = ca("/a.pem", "", &["2"]))),
            ("a digest", pinned(&["1"])),
            ("another digest", pinned(&["2"])),
            ("two digests", pinned(&["1", "2"])),
            ("version", demanding(|parts| parts.min_version = Some(TlsVersion::Tls12))),
            ("newer version", demanding(|parts| parts.min_version = Some(TlsVersion::Tls13))),
            ("ciphers", demanding(|parts| parts.ciphers = Some(CipherGrade::High))),
            ("servername", demanding(|parts| parts.servername = Some(ServerName::HostName))),
            ("domains", with(|c| c.domains = patterns(&["*.contoso.com"]).into())),
            ("a domain more", with(|c| c.domains.extend(patterns(&["contoso.org"])))),
            ("only below", with(|c| c.domains = patterns(&[".contoso.com", "contoso.net"]).into())),
            ("except", with(|c| c.except = PatternSet::new(patterns(&["a.contoso.com"])))),
            ("smart hosts", with(|c| c.route = smart_hosts(&["[a.b]", "[c.d]:587"]))),
            ("their order", with(|c| c.route = smart_hosts(&["[c.d]:587", "[a.b]"]))),
            ("their port", with(|c| c.route = smart_hosts(&["[a.b]", "[c.d]"]))),
            ("their MX", with(|c| c.route = smart_hosts(&["a.b", "[c.d]"]))),
        ];
        let digests: BTreeSet<String> =
            all.iter().map(|(_, connector)| of_outbound(connector, None)).collect();
        for (name, connector) in &all {
            let twins =
                all.iter().filter(|(_, other)| of_outbound(other, None) == of_outbound(connector, None));
            let twins: Vec<_> = twins.map(|(name, _)| name).collect();
            assert_eq!(twins, [name]);
        }
        assert_eq!(digests.len(), all.len());
    }
}
