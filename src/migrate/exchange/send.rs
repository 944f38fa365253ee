//! `Get-SendConnector`: from Exchange on premises outwards.

use super::making::Making;
use super::properties::{Properties, Refusal};
use super::record::Record;
use super::route::{self, Way};
use super::security::{self, Asked, NEVER_FORCED};
use super::spaces;
use crate::migrate::{Draft, OutboundTerms, Terms};

/// A draft of a connector.
pub(super) fn draft(record: &Record) -> Result<Draft, Refusal> {
    let of = Properties { record, cmdlet: "Get-SendConnector" };
    let (mut making, people) = Making::begin(of)?;
    if making.is_off() {
        making.note(
            "On premises mail then goes by the next connector that matches, and is held if none does; here it goes out as \
             main.cf says.",
        );
    }
    let domains = spaces::address_spaces(of, "AddressSpaces", &of.list_there("AddressSpaces")?)?;
    if domains.is_empty() {
        return Err(of.refuse("AddressSpaces", "is empty: the connector is for no domain"));
    }
    let way = way(of, &mut making)?;
    route::refuse_everything(of, "AddressSpaces", &domains, &way)?;
    let asked = asked(of, &mut making)?;
    if asked == Asked::Opportunistic && !of.is_set("DomainSecureEnabled")? {
        making.note(NEVER_FORCED);
    }
    match spaces::cost(record) {
        Some(1) => {}
        Some(cost) => making.note(format!(
            "Its cost is {cost}: of several connectors for a domain Exchange takes the one with the lowest, and here there is one."
        )),
        None => making.note(
            "The costs of its address spaces differ: of several connectors for a domain Exchange takes the one with the lowest, \
             and here there is one.",
        ),
    }
    let (tls, names) = security::level(of, asked, &domains, &way, &mut making)?;
    others(of, &mut making)?;
    let terms = OutboundTerms { names, route: way.hosts, ..OutboundTerms::new(domains, tls) };
    making.draft(of, Terms::Outbound(terms), people)
}

fn way(of: Properties<'_>, making: &mut Making) -> Result<Way, Refusal> {
    let port = of.number("Port")?;
    if !of.flag_there("DNSRoutingEnabled")? {
        return route::smart_hosts(of, "SmartHosts", port.ok_or_else(|| of.missing("Port"))?, making);
    }
    if let Some(port) = port.filter(|&port| port != 25) {
        making.off(format!("Port {port} with MX records: Postfix goes to the MX hosts at port 25 only."));
    }
    Ok(Way::default())
}

/// `TlsAuthLevel` counts only beside `RequireTLS` (New-SendConnector); where they contradict each other, the stronger one
/// is taken.
fn asked(of: Properties<'_>, making: &mut Making) -> Result<Asked, Refusal> {
    let required = of.flag_there("RequireTLS")?;
    let level = security::asked(of, "TlsAuthLevel")?;
    if of.is_set("IgnoreSTARTTLS")? {
        if required || level.is_some() {
            return Err(of.refuse("IgnoreSTARTTLS", "is true, and the connector demands TLS: that cannot be"));
        }
        making.note("Exchange never used TLS here (IgnoreSTARTTLS); Postfix does where it is offered.");
    }
    match (required, level) {
        (true, None) => Ok(Asked::Encryption),
        (false, None) => Ok(Asked::Opportunistic),
        (true, Some(level)) => Ok(level),
        (false, Some(level)) => {
            making.note("RequireTLS is false and TlsAuthLevel is set, which Exchange does not allow; this takes the latter.");
            Ok(level)
        }
    }
}

fn others(of: Properties<'_>, making: &mut Making) -> Result<(), Refusal> {
    if of.is_set("DomainSecureEnabled")? {
        making.off(
            "DomainSecureEnabled: for the domains in TLSSendDomainSecureList (Get-TransportConfig), which is not in the \
             export, Exchange demands TLS with certificates on both sides. Give each of them a connector with `secure`.",
        );
    }
    if of.told("TlsCertificateName").is_some() {
        making.note("TlsCertificateName: our own certificate is set in main.cf, smtp_tls_cert_file, for all partners.");
    }
    if of.told("CloudServicesMailEnabled").is_some() {
        making.note("CloudServicesMailEnabled has no counterpart here: it keeps Exchange's own headers.");
    }
    if of.is_set("IsScopedConnector")? {
        making
            .off("IsScopedConnector: it is for servers of one site only, and here it would be for all mail.");
    }
    for (name, usual, what) in [
        ("SmartHostAuthMechanism", "\"None\"", "passwords belong into smtp_sasl_password_maps"),
        ("ErrorPolicies", "\"Default\"", "this has no counterpart here"),
    ] {
        if let Some(told) = of.told(name).filter(|told| !told.eq_ignore_ascii_case(usual)) {
            making.note(format!("{name} is {told}: {what}."));
        }
    }
    Ok(())
}
