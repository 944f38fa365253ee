//! `Get-ReceiveConnector`: to Exchange on premises. It is about clients' addresses, and knows no sender.

use super::making::Making;
use super::properties::{Properties, Refusal};
use super::ranges::ranges;
use super::record::Record;
use crate::migrate::{Draft, InboundTerms, Terms};

/// What Exchange does with mail without TLS: it is refused for now (451 5.7.3).
const DEFER: &str = "defer";

/// A draft of a connector.
pub(super) fn draft(record: &Record) -> Result<Draft, Refusal> {
    let of = Properties { record, cmdlet: "Get-ReceiveConnector" };
    let (mut making, people) = Making::begin(of)?;
    if !of.flag_there("RequireTLS")? {
        return Err(of.refuse("RequireTLS", "is false: it demands nothing, so there is nothing to import"));
    }
    let texts = of.list_there("RemoteIPRanges")?;
    if texts.is_empty() {
        return Err(of.refuse("RemoteIPRanges", "is empty: the connector is about nobody's mail"));
    }
    let addresses = ranges(of, "RemoteIPRanges", &texts, &mut making)?;
    others(of, &mut making)?;
    let terms = InboundTerms {
        addresses,
        tls: Some(None),
        on_violation: DEFER.to_owned(),
        ..InboundTerms::default()
    };
    making.draft(of, Terms::Inbound(terms), people)
}

fn others(of: Properties<'_>, making: &mut Making) -> Result<(), Refusal> {
    let usual = |bindings: Vec<&str>| bindings.iter().all(|binding| binding.ends_with(":25"));
    if !of.list("Bindings").is_ok_and(usual) {
        making.note(
            "Bindings: in Exchange it is for ports other than 25 too; here it is for every smtpd(8) that asks.",
        );
    }
    if of.is_set("DomainSecureEnabled")? {
        making.note(
            "DomainSecureEnabled: of the domains in TLSReceiveDomainSecureList (Get-TransportConfig), which is not in the \
             export, Exchange demands a client certificate. Give each of them a connector with require.certificate.",
        );
    }
    if of.told("TlsDomainCapabilities").is_some() {
        making.note("TlsDomainCapabilities gives rights to certificates, and demands nothing: left out.");
    }
    making.note("Of several receive connectors Exchange takes the one with the narrowest range; here all of them apply.");
    Ok(())
}
