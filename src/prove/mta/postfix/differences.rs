//! In what the copy of Postfix differs from the original. Pure.
//!
//! As little as can be: what would reach somebody of this machine, what is not there, what would hold back the next
//! probe, and whom a client trusts beside those that it trusts already.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Postfix;
use crate::mta::postfix::settings::Service;
use crate::prove::enclosure::AUTHORITY;

/// Programs of Postfix that deliver nothing on this machine and start nothing (its conf/postfix-files, without local,
/// virtual, pipe, spawn, lmtp and nbdb_reindexd). What any other one does nobody knows; `discard` stands in its place.
const HARMLESS: [&str; 23] = [
    "anvil",
    "bounce",
    "cleanup",
    "discard",
    "dnsblog",
    "error",
    "flush",
    "nqmgr",
    "oqmgr",
    "pickup",
    "postlogd",
    "postscreen",
    "proxymap",
    "qmgr",
    "qmqpd",
    "scache",
    "showq",
    "smtp",
    "smtpd",
    "tlsmgr",
    "tlsproxy",
    "trivial-rewrite",
    "verify",
];

/// What a message would be given to, or written to, on its way: it is not there, or it is of this machine. A service
/// may have its own.
const UNSET: [&str; 4] = ["content_filter", "maillog_file", "smtpd_milters", "non_smtpd_milters"];

/// The setting of a file of authorities.
const CA_FILE: &str = "smtp_tls_CAfile";

/// What is changed in the copy: options of postconf(1), each with what it is given.
pub type Changes = Vec<(&'static str, Vec<String>)>;

impl Postfix {
    /// What is changed in the copy's main.cf and master.cf.
    pub fn changes(&self) -> Changes {
        // Its lines come to us by syslog(3).
        let mut set: Vec<String> = UNSET.iter().map(|name| format!("{name}=")).collect();
        set.push("authorized_submit_users=static:anyone".to_owned());
        if self.has_authorities(None) && self.settings.main(CA_FILE).is_empty() {
            set.push(format!("{CA_FILE}={AUTHORITY}"));
        }
        for (name, value) in self.settings.all() {
            let is_delay =
                name.ends_with("_destination_rate_delay") || name.ends_with("_transport_rate_delay");
            if name.ends_with("_destination_concurrency_failed_cohort_limit") && value != "0" {
                set.push(format!("{name}=0"));
            } else if is_delay && !value.starts_with('0') && !value.starts_with('$') {
                set.push(format!("{name}=0s"));
            }
        }
        let (mut without, mut unset, mut own, mut discard) = (vec![], vec![], vec![], vec![]);
        for service in self.settings.services() {
            if service.name.ends_with("/inet") {
                without.push(service.name.clone());
                continue;
            }
            for name in UNSET {
                if service.own(name).is_some() {
                    unset.push(format!("{}/{name}", service.name));
                }
            }
            if let Some(file) = self.own_authority(service) {
                own.push(format!("{}/{CA_FILE}={file}", service.name));
            }
            if !HARMLESS.contains(&service.program.as_str()) {
                discard.push(format!("{}/command=discard", service.name));
            }
        }
        let all = [("-e", set), ("-MX", without), ("-PX", unset), ("-P", own), ("-F", discard)];
        all.into_iter().filter(|(_, what)| !what.is_empty()).collect()
    }

    /// The files of authorities that the copy is to trust ours in.
    pub fn files_of_authorities(&self) -> BTreeSet<PathBuf> {
        let names = [CA_FILE, "tlsproxy_client_CAfile"];
        let own = self.settings.services();
        let own = own.flat_map(|service| names.into_iter().filter_map(|name| service.own(name)));
        let all = own.chain(names.into_iter().map(|name| self.settings.main(name)));
        all.filter(|file| !file.is_empty()).map(PathBuf::from).collect()
    }

    /// Whether any authority is trusted: by all services, or by one with settings of its own.
    fn has_authorities(&self, service: Option<&Service>) -> bool {
        let value = |name| match service {
            Some(service) => self.settings.of(service, name),
            None => self.settings.main(name),
        };
        let system = value("tls_append_default_CA").eq_ignore_ascii_case("yes");
        system || !value(CA_FILE).is_empty() || !value("smtp_tls_CApath").is_empty()
    }

    /// What a client without a file of authorities is to have for itself, where main.cf does not say the same: ours beside
    /// a directory or the system's, and none where nobody is trusted.
    fn own_authority(&self, service: &Service) -> Option<&'static str> {
        if service.program != "smtp" || !self.settings.of(service, CA_FILE).is_empty() {
            return None;
        }
        let wanted = |has_authorities| if has_authorities { AUTHORITY } else { "" };
        let inherited = if service.own(CA_FILE).is_some() { "" } else { wanted(self.has_authorities(None)) };
        let own = wanted(self.has_authorities(Some(service)));
        (own != inherited).then_some(own)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mta::postfix::settings::{Said, Settings};

    #[test]
    fn what_could_touch_this_machine_is_not_in_the_copy() {
        let services = "\
smtp      inet n - y - - smtpd
smtp      unix - - y - - smtp
own       unix - - y - - smtp
none      unix - - y - - smtp
cleanup   unix n - y - 0 cleanup
lmtp      unix - - y - - lmtp
archive   unix - n n - - /usr/local/bin/archive
script    unix - n n - - pipe
";
        let own = "\
own/unix/smtp_tls_CAfile = /etc/own.pem
none/unix/smtp_tls_CApath =
cleanup/unix/non_smtpd_milters = unix:/srv/milter
cleanup/unix/content_filter = script:
";
        let main = "smtp_tls_CAfile =\nsmtp_tls_CApath = /etc/ssl/certs\ntls_append_default_CA = no\n\
            smtp_destination_rate_delay = 5s\nsmtp_destination_concurrency_failed_cohort_limit = 1\n";
        let settings = Settings::parse(&Said { main, services, own, ..Said::default() }).unwrap();
        let config_directory = PathBuf::from("/etc/postfix");
        let postfix = Postfix { settings, config_directory, version: String::new() };
        let lines: Vec<String> = postfix
            .changes()
            .into_iter()
            .map(|(option, what)| format!("{option} {}", what.join(" ")))
            .collect();
        assert_eq!(
            lines,
            [
                "-e content_filter= maillog_file= smtpd_milters= non_smtpd_milters= \
                 authorized_submit_users=static:anyone smtp_tls_CAfile=/run/connectord-prove/authority.pem \
                 smtp_destination_concurrency_failed_cohort_limit=0 smtp_destination_rate_delay=0s",
                "-MX smtp/inet",
                "-PX cleanup/unix/content_filter cleanup/unix/non_smtpd_milters",
                // Nobody is trusted there.
                "-P none/unix/smtp_tls_CAfile=",
                "-F lmtp/unix/command=discard archive/unix/command=discard script/unix/command=discard",
            ]
        );
    }
}
