//! `Get-OutboundConnector`: from Exchange Online to a partner.

use super::making::Making;
use super::properties::{Properties, Refusal, shown};
use super::record::Record;
use super::route::{self, Way};
use super::security::{self, Asked, NEVER_FORCED};
use super::spaces;
use crate::migrate::{Draft, Names, OutboundTerms, Terms};
use crate::model::{Address, Level, Pattern};

/// A draft of a connector. `nowhere` is a domain that stands for none, where Exchange has none.
pub(super) fn draft(record: &Record, nowhere: &str) -> Result<Draft, Refusal> {
    let of = Properties { record, cmdlet: "Get-OutboundConnector" };
    let (mut making, people) = Making::begin(of)?;
    let partner = kind(of, &mut making)?;
    scope(of, &mut making)?;

    let domains = domains(of, nowhere, &mut making)?;
    let way = way(of, &mut making)?;
    route::refuse_everything(of, "RecipientDomains", &domains, &way)?;
    if !partner {
        making.note(
            "In Exchange this goes to servers of one's own (ConnectorType OnPremises), not to a partner; see whether it is \
             needed here.",
        );
    }
    let (tls, names) = demand(of, &domains, &way, &mut making)?;
    let test_recipients = recipients(of, &domains, &mut making);
    others(of, &mut making);

    let terms =
        OutboundTerms { names, route: way.hosts, test_recipients, ..OutboundTerms::new(domains, tls) };
    making.draft(of, Terms::Outbound(terms), people)
}

/// Whether it is for a partner.
fn kind(of: Properties<'_>, making: &mut Making) -> Result<bool, Refusal> {
    match of.text("ConnectorType")? {
        Some(kind) if kind.eq_ignore_ascii_case("Partner") => Ok(true),
        Some(kind) if kind.eq_ignore_ascii_case("OnPremises") => Ok(false),
        Some(kind) => Err(
            of.refuse("ConnectorType", format_args!("is {}; Partner and OnPremises are known", shown(kind)))
        ),
        None => {
            making.note("ConnectorType is not in the export; this takes it for Partner.");
            Ok(true)
        }
    }
}

/// What decides in Exchange, beside the recipient's domain, which mail the connector is for: that is not known to a
/// lookup by domain.
fn scope(of: Properties<'_>, making: &mut Making) -> Result<(), Refusal> {
    let scopes = [
        (
            "IsTransportRuleScoped",
            "IsTransportRuleScoped: a mail flow rule chooses the mail for it, which a lookup by domain cannot.",
        ),
        (
            "AllAcceptedDomains",
            "AllAcceptedDomains: it is for Exchange's own accepted domains, which are not in the export.",
        ),
        (
            "RouteAllMessagesViaOnPremises",
            "RouteAllMessagesViaOnPremises: it takes all mail of everybody through one's own servers.",
        ),
        ("TestMode", "TestMode: what that does is not documented."),
    ];
    let mut unknown = Vec::new();
    for (name, reason) in scopes {
        match of.flag(name)? {
            Some(true) => making.off(reason),
            Some(false) => {}
            None => unknown.push(name),
        }
    }
    if !unknown.is_empty() {
        making.note(format!("Not in the export, and taken for false: {}.", unknown.join(", ")));
    }
    Ok(())
}

/// What is for no domain is kept only where it is off for another reason.
fn domains(of: Properties<'_>, nowhere: &str, making: &mut Making) -> Result<Vec<String>, Refusal> {
    let domains = spaces::domains(of, "RecipientDomains", &of.list_there("RecipientDomains")?)?;
    if !domains.is_empty() {
        return Ok(domains);
    }
    if making.is_off() {
        making.note(format!(
            "Exchange has no domains for it; {nowhere} stands for those that it is to be for."
        ));
        return Ok(vec![nowhere.to_owned()]);
    }
    Err(of.refuse("RecipientDomains", "is empty: the connector is for no domain"))
}

fn way(of: Properties<'_>, making: &mut Making) -> Result<Way, Refusal> {
    if !of.flag_there("UseMXRecord")? {
        return route::smart_hosts(of, "SmartHosts", 25, making);
    }
    if of.told("SmartHosts").is_some() {
        making.note("It has smart hosts too, which Exchange does not use with UseMXRecord.");
    }
    Ok(Way::default())
}

/// The level and the names. Exchange has DANE beside them, and Postfix takes one level.
fn demand(
    of: Properties<'_>,
    domains: &[String],
    way: &Way,
    making: &mut Making,
) -> Result<(Level, Names), Refusal> {
    let asked = security::asked(of, "TlsSettings")?.unwrap_or(Asked::Opportunistic);
    let dane = policy(of, "SmtpDaneMode", making)?;
    let is = |word: &str| dane.eq_ignore_ascii_case(word);
    if !(is("None") || is("Opportunistic") || is("Mandatory")) {
        return Err(of.refuse(
            "SmtpDaneMode",
            format_args!("is {}; None, Opportunistic and Mandatory are known", shown(dane)),
        ));
    }
    let without_chain = matches!(asked, Asked::Opportunistic | Asked::Encryption);
    let demand = if is("Mandatory") && without_chain {
        making.note("SmtpDaneMode is Mandatory: `dane-only` demands it, and with it TLS.");
        if way.has_address {
            making.note("A smart host is an address, and an address has no TLSA records: in force all mail would wait.");
        }
        (Level::DaneOnly, Names::Unsaid)
    } else if is("Opportunistic") && asked == Asked::Opportunistic {
        making.note(
            "SmtpDaneMode is Opportunistic: `dane` demands what the partner's TLSA records say, where there are some. Without \
             them mail goes in plaintext to whoever offers no TLS; agree on `encrypt` at least.",
        );
        (Level::Dane, Names::Unsaid)
    } else {
        if asked == Asked::Opportunistic {
            making.note(NEVER_FORCED);
        }
        security::level(of, asked, domains, way, making)?
    };
    if is("Mandatory") && !without_chain {
        making.off(
            "SmtpDaneMode is Mandatory, beside the demand on the certificate's chain: Postfix takes one level, and neither \
             says both. Choose `dane-only` or this one.",
        );
    }
    let mut lost = Vec::new();
    if is("Opportunistic") && asked != Asked::Opportunistic {
        lost.push("TLSA records (SmtpDaneMode)");
    }
    if !policy(of, "MtaStsMode", making)?.eq_ignore_ascii_case("None") {
        lost.push("an MTA-STS policy (MtaStsMode)");
    }
    if !lost.is_empty() {
        making.note(format!(
            "Where the partner publishes {}, Exchange demands what is there too. Postfix does not at this level; `connectord \
             validate` shows what is published.",
            lost.join(" or ")
        ));
    }
    Ok(demand)
}

/// Whether Exchange looks at what the partner publishes, which it does unless told otherwise (New-OutboundConnector).
fn policy<'r>(of: Properties<'r>, name: &str, making: &mut Making) -> Result<&'r str, Refusal> {
    Ok(of.text(name)?.unwrap_or_else(|| {
        making.note(format!(
            "{name} is not in the export, or not set; this takes Exchange's default, Opportunistic."
        ));
        "Opportunistic"
    }))
}

/// Whom a test mail may go to: somebody in the connector's domains.
fn recipients(of: Properties<'_>, domains: &[String], making: &mut Making) -> Vec<String> {
    let patterns: Vec<Pattern> = domains.iter().filter_map(|domain| Pattern::parse(domain).ok()).collect();
    let mut good: Vec<String> = Vec::new();
    let mut left_out = 0_usize;
    let Ok(texts) = of.list("ValidationRecipients") else {
        making.note("Left out ValidationRecipients: the export has no list of words.");
        return good;
    };
    for text in texts {
        match Address::parse(text) {
            Some(address) if patterns.iter().any(|pattern| pattern.covers(address.domain().as_str())) => {
                good.push(text.to_owned());
            }
            Some(_) | None => left_out += 1,
        }
    }
    if left_out > 0 {
        making.note(format!("Left out {left_out} of ValidationRecipients, in none of these domains."));
    }
    good
}

/// What has nothing to do with TLS, and has no place here.
fn others(of: Properties<'_>, making: &mut Making) {
    for (name, what) in [
        ("CloudServicesMailEnabled", "it keeps Exchange's own headers"),
        ("SenderRewritingEnabled", "it rewrites senders (SRS)"),
    ] {
        if of.told(name).is_some() {
            making.note(format!("{name} has no counterpart here: {what}."));
        }
    }
}
