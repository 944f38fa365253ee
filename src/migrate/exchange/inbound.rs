//! `Get-InboundConnector`: from a partner to Exchange Online.

use super::making::Making;
use super::properties::{Properties, Refusal, shown};
use super::ranges::ranges;
use super::record::Record;
use super::security::refuse_issuer_form;
use super::spaces;
use crate::config::value;
use crate::migrate::{Draft, InboundTerms, Terms};

/// What Exchange does with mail that does not comply: it is refused for good (550 5.7.51).
const REJECT: &str = "reject";

/// A draft of a connector. `nowhere` is a domain that stands for none, where Exchange has none.
pub(super) fn draft(record: &Record, nowhere: &str) -> Result<Draft, Refusal> {
    let of = Properties { record, cmdlet: "Get-InboundConnector" };
    let (mut making, people) = Making::begin(of)?;
    kind(of, &mut making)?;

    let mut domains = spaces::address_spaces(of, "SenderDomains", &of.list_there("SenderDomains")?)?;
    if domains.is_empty() {
        if !making.is_off() {
            return Err(of.refuse("SenderDomains", "is empty: the connector is about nobody's mail"));
        }
        making.note(format!(
            "Exchange has no domains for it; {nowhere} stands for those that it is to be about."
        ));
        domains.push(nowhere.to_owned());
    }
    let recipients =
        spaces::domains(of, "AssociatedAcceptedDomains", &of.list("AssociatedAcceptedDomains")?)?;
    let requires_tls = of.flag_there("RequireTls")?;
    let certificate_names: Vec<String> = certificate(of, &mut making)?.into_iter().collect();
    let required_addresses = addresses(of, &mut making)?;
    if !requires_tls && certificate_names.is_empty() && required_addresses.is_empty() {
        return Err(Refusal {
            place: record.place,
            reason: "it demands neither TLS nor a certificate nor an address, so there is nothing to import"
                .to_owned(),
        });
    }
    others(of, &mut making);

    let terms = InboundTerms {
        domains,
        recipients,
        tls: requires_tls.then_some(None),
        certificate_names,
        required_addresses,
        on_violation: REJECT.to_owned(),
        ..InboundTerms::default()
    };
    making.draft(of, Terms::Inbound(terms), people)
}

/// Only a Partner connector demands anything (New-InboundConnector).
fn kind(of: Properties<'_>, making: &mut Making) -> Result<(), Refusal> {
    match of.text("ConnectorType")? {
        Some(kind) if kind.eq_ignore_ascii_case("Partner") => {}
        Some(kind) if kind.eq_ignore_ascii_case("OnPremises") => making.off(
            "ConnectorType OnPremises: for mail of one's own servers it gives rights, and what it seems to demand Exchange \
             demands of a Partner only.",
        ),
        Some(kind) => {
            return Err(of.refuse("ConnectorType", format_args!("is {}; Partner and OnPremises are known", shown(kind))));
        }
        None => making.note("ConnectorType is not in the export; this takes it for Partner."),
    }
    if !of.record.has("TrustedOrganizations") {
        making.note("TrustedOrganizations is not in the export; this takes it for empty.");
    }
    if !of.list("TrustedOrganizations")?.is_empty() {
        making.off("TrustedOrganizations: it is for mail of those tenants of Exchange Online, and looks at nothing else.");
    }
    Ok(())
}

/// The name that a client's certificate must have.
fn certificate(of: Properties<'_>, making: &mut Making) -> Result<Option<String>, Refusal> {
    const NAME: &str = "TlsSenderCertificateName";
    if !of.flag_there("RestrictDomainsToCertificate")? {
        if let Some(told) = of.told(NAME) {
            making.note(format!(
                "{NAME} is {told}, but RestrictDomainsToCertificate is false: Exchange is not known to refuse mail for it. If \
                 the agreement demands it: require.certificate.names = [{told}]."
            ));
        }
        return Ok(None);
    }
    let Some(text) = of.text_there(NAME)? else {
        return Err(of.refuse(NAME, "is empty, and RestrictDomainsToCertificate demands one"));
    };
    refuse_issuer_form(of, NAME, text)?;
    let refused = |reason: String| of.refuse(NAME, format_args!("is {reason}"));
    let name = value::certificate_name(text).map_err(refused)?.to_string();
    if text.starts_with('.') {
        return Err(refused(format!("{}, which is no domain in Exchange", shown(text))));
    }
    making.note(
        "Exchange looks at the subject of the certificate only; here any of its names may match that the MTA shows. \
         Postfix shows the CN of a trusted one: register the partner's certificate with `files` if it has none.",
    );
    Ok(Some(name))
}

/// Where the client must connect from.
fn addresses(of: Properties<'_>, making: &mut Making) -> Result<Vec<String>, Refusal> {
    const NAME: &str = "SenderIPAddresses";
    if !of.flag_there("RestrictDomainsToIPAddresses")? {
        if of.told(NAME).is_some() {
            making.note(
                "Left out SenderIPAddresses: with RestrictDomainsToIPAddresses false, Exchange does not look at them.",
            );
        }
        return Ok(Vec::new());
    }
    let texts = of.list_there(NAME)?;
    if texts.is_empty() {
        return Err(of.refuse(NAME, "is empty, and RestrictDomainsToIPAddresses demands some"));
    }
    let ranges = ranges(of, NAME, &texts, making)?;
    if let Some(all) = ranges.iter().find(|range| range.ends_with("/0")) {
        return Err(of.refuse(NAME, format_args!("has {all}, which is every address and demands nothing")));
    }
    Ok(ranges)
}

/// What has nothing to do with TLS, and has no place here.
fn others(of: Properties<'_>, making: &mut Making) {
    for (name, what) in [
        ("CloudServicesMailEnabled", "it keeps Exchange's own headers"),
        ("TreatMessagesAsInternal", "it makes mail internal"),
        ("EFSkipLastIP", "it is for Exchange's filters"),
        ("EFSkipIPs", "it is for Exchange's filters"),
        ("EFUsers", "it is for Exchange's filters"),
        ("ClientHostNames", "Microsoft does not say what it is for"),
        ("ScanAndDropRecipients", "Microsoft does not say what it is for"),
    ] {
        if of.told(name).is_some() {
            making.note(format!("{name} has no counterpart here: {what}."));
        }
    }
}
