//! Why there is nobody to deliver to, in words for the partner's administrator. Pure.

use crate::model::NextHop;
use crate::validate::dns::{Error, MAX_RECORDS};
use crate::validate::report::{Finding, Verdict};

/// A domain has neither a mail host nor an address.
pub(super) fn no_route(domain: &str, error: Error) -> Finding {
    let (code, reason) = match error {
        Error::NoSuchName => ("no-such-domain", format!("The domain {domain} does not exist in the DNS.")),
        Error::NoData => {
            ("no-mail-host", format!("The domain {domain} has neither MX records nor an address."))
        }
        Error::Loop => ("cname-loop", format!("The CNAME records of {domain} lead in a circle or too far.")),
        Error::Name => {
            ("dns-name-invalid", format!("The DNS of {domain} leads to a name that is no host name."))
        }
        Error::ServerFailure | Error::Refused(_) => {
            ("dns-failure", format!("The name servers of {domain} do not answer as they should."))
        }
        Error::Timeout => ("dns-timeout", format!("The name servers of {domain} did not answer in time.")),
        Error::Resolver => ("dns-unavailable", "Our own DNS resolver cannot be used.".to_owned()),
    };
    Finding::new(Verdict::Fail, code, reason, format!("{error}; {}", consequence(error)))
}

/// A null MX (RFC 7505).
pub(super) fn null_mx(domain: &str) -> Finding {
    Finding::new(
        Verdict::Fail,
        "null-mx",
        format!("The domain {domain} says with a null MX record that it accepts no mail."),
        "MX 0 . (RFC 7505); Postfix returns the mail to the sender (5.1.0)".to_owned(),
    )
}

/// Every MX record of a domain names what is no host name.
pub(super) fn only_invalid_mx(domain: &str, names: &str) -> Finding {
    Finding::new(
        Verdict::Fail,
        "mx-name-invalid",
        format!("No MX record of {domain} names a valid host."),
        format!("{names}; Postfix returns the mail to the sender (5.4.4)"),
    )
}

/// A host has no address. The verdict is for a host that is the only one.
pub(super) fn no_address(host: &str, error: Error) -> Finding {
    let (code, reason) = match error {
        Error::NoSuchName => ("host-not-found", format!("The mail host {host} does not exist in the DNS.")),
        Error::NoData => ("host-no-address", format!("The mail host {host} has no address.")),
        Error::Loop => ("cname-loop", format!("The CNAME records of {host} lead in a circle or too far.")),
        Error::Name => {
            ("dns-name-invalid", format!("The DNS of {host} leads to a name that is no host name."))
        }
        Error::ServerFailure | Error::Refused(_) => {
            ("dns-failure", format!("The name servers of the mail host {host} do not answer as they should."))
        }
        Error::Timeout => {
            ("dns-timeout", format!("The name servers of the mail host {host} did not answer in time."))
        }
        Error::Resolver => ("dns-unavailable", "Our own DNS resolver cannot be used.".to_owned()),
    };
    Finding::new(Verdict::Fail, code, reason, format!("{error}; without another host {}", consequence(error)))
}

/// What Postfix does with the mail (smtp_addr.c, the DSN of each case).
fn consequence(error: Error) -> &'static str {
    if error.is_temporary() {
        "Postfix keeps the mail in the queue (4.4.3)"
    } else {
        "Postfix returns the mail to the sender (5.4.4)"
    }
}

/// The domain itself is its mail host (RFC 5321 section 5.1).
pub(super) fn no_mx(domain: &str) -> Finding {
    let reason = format!("The domain {domain} has no MX record; mail goes to the host of the same name.");
    Finding::new(Verdict::Pass, "no-mx", reason, String::new())
}

/// One MX record of several names what is no host name.
pub(super) fn invalid_mx(domain: &str, names: &str) -> Finding {
    let reason = format!("An MX record of {domain} names what is no host name, so nobody delivers there.");
    Finding::new(Verdict::Warn, "mx-name-invalid", reason, names.to_owned())
}

/// There are more MX records than we look at.
pub(super) fn too_many_mx(domain: &str) -> Finding {
    let reason = format!("{domain} has more than {MAX_RECORDS} MX records; the others were not tested.");
    Finding::new(Verdict::Warn, "too-many-mx", reason, String::new())
}

/// A host has more addresses than we look at.
pub(super) fn too_many_addresses(host: &str) -> Finding {
    let reason = format!("{host} has more than {MAX_RECORDS} addresses; the others were not tested.");
    Finding::new(Verdict::Warn, "too-many-addresses", reason, String::new())
}

/// One kind of address could not be found out.
pub(super) fn addresses_incomplete(host: &str, kind: &str, error: Error) -> Finding {
    let reason = format!("Not all addresses of {host} could be found out.");
    Finding::new(Verdict::Warn, "addresses-incomplete", reason, format!("{kind}: {error}"))
}

/// An MX record names an address where a name belongs (RFC 5321 section 5.1).
pub(super) fn mx_is_address(domain: &str, address: &str) -> Finding {
    let reason = format!("An MX record of {domain} names an address, which not every MTA accepts.");
    Finding::new(Verdict::Warn, "mx-is-address", reason, address.to_owned())
}

/// An MX record names an alias.
pub(super) fn mx_is_alias(domain: &str, host: &str, target: &str) -> Finding {
    let reason =
        format!("The mail host {host} of {domain} is an alias, which RFC 2181 section 10.3 forbids.");
    let detail = format!("CNAME to {target}; Postfix follows it, and compares certificates with {host}");
    Finding::new(Verdict::Pass, "mx-is-alias", reason, detail)
}

/// The port of a smart host is a name that nobody knows.
pub(super) fn unknown_port(host: &NextHop) -> Finding {
    let reason = format!("The port of the smart host {host} is a service that this machine does not know.");
    Finding::new(Verdict::Fail, "unknown-port", reason, "/etc/services has no such tcp service".to_owned())
}
