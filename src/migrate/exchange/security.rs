//! What Exchange demands of TLS, as a TLS level and names. Never as less.
//!
//! Exchange's three words are `EncryptionOnly` (any certificate), `CertificateValidation` (a chain that is trusted, no
//! name) and `DomainValidation` (the chain, and a name that matches `TlsDomain`); none at all is opportunistic TLS
//! (New-OutboundConnector, New-SendConnector). Postfix has no level for a chain without a name: `verify`, which also
//! demands the name of the host, is the weakest that is not weaker.

use super::making::Making;
use super::properties::{Properties, Refusal, shown};
use super::route::Way;
use crate::config::value;
use crate::migrate::Names;
use crate::model::{Level, Pattern};

/// For mail that Exchange may send in plaintext.
pub(super) const NEVER_FORCED: &str = "Exchange never forced TLS here: mail goes in plaintext to whoever offers none. Agree on `encrypt` at least.";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// TLS where it is offered.
    Opportunistic,
    Encryption,
    Certificate,
    Domain,
}

/// The word in a property; `None` where that is `$null`.
pub(super) fn asked(of: Properties<'_>, name: &str) -> Result<Option<Asked>, Refusal> {
    let Some(word) = of.text_there(name)? else {
        return Ok(None);
    };
    let words = [
        ("EncryptionOnly", Asked::Encryption),
        ("CertificateValidation", Asked::Certificate),
        ("DomainValidation", Asked::Domain),
    ];
    let found = words.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
    match found {
        Some((_, asked)) => Ok(Some(asked)),
        None => Err(of.refuse(
            name,
            format_args!(
                "is {}; EncryptionOnly, CertificateValidation and DomainValidation are known",
                shown(word)
            ),
        )),
    }
}

/// The level and the names for what is asked of the mail to these domains on this way.
pub(super) fn level(
    of: Properties<'_>,
    asked: Asked,
    domains: &[String],
    way: &Way,
    making: &mut Making,
) -> Result<(Level, Names), Refusal> {
    let told = if asked == Asked::Domain { None } else { of.told("TlsDomain") };
    if let Some(told) = told {
        making.note(format!("TlsDomain is {told}: Exchange looks at it with DomainValidation only."));
    }
    match asked {
        Asked::Opportunistic => Ok((Level::May, Names::Unsaid)),
        Asked::Encryption => Ok((Level::Encrypt, Names::Unsaid)),
        Asked::Certificate => {
            making.note(if way.hosts.is_empty() {
                "CertificateValidation takes a trusted certificate of any name, and looks for its revocation. Postfix has no \
                 such level and never looks for that: `verify` also demands the name of the MX host."
            } else {
                "CertificateValidation takes a trusted certificate of any name, and looks for its revocation. Postfix has no \
                 such level and never looks for that: `verify` also demands the name of the smart host."
            });
            if way.has_address {
                making.note(
                    "A smart host is an address, and no certificate is named like one: in force all mail would wait. Write the \
                     names that it shows as `match`.",
                );
            }
            Ok((Level::Verify, Names::Unsaid))
        }
        Asked::Domain => {
            making.note("Exchange also looks for revocation of the certificate; Postfix never does.");
            let names = match of.text_there("TlsDomain")? {
                Some(domain) => Names::Of(vec![name(of, domain)?]),
                None => of_recipients(of, domains, way, making)?,
            };
            Ok((Level::Secure, names))
        }
    }
}

/// `TlsDomain` as a name to match.
fn name(of: Properties<'_>, text: &str) -> Result<String, Refusal> {
    refuse_issuer_form(of, "TlsDomain", text)?;
    if text.starts_with('.') {
        return Err(
            of.refuse("TlsDomain", format_args!("is {}, which is no domain in Exchange", shown(text)))
        );
    }
    let name =
        value::server_name(text).map_err(|reason| of.refuse("TlsDomain", format_args!("is {reason}")))?;
    Ok(name.to_string())
}

/// On premises a certificate of one's own is named by issuer and subject.
pub(super) fn refuse_issuer_form(of: Properties<'_>, name: &str, text: &str) -> Result<(), Refusal> {
    if text.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("<I>") || head.eq_ignore_ascii_case("<S>"))
    {
        return Err(of.refuse(
            name,
            format_args!(
                "is {}: issuer and subject, as on premises, and no domain; write the domain there",
                shown(text)
            ),
        ));
    }
    Ok(())
}

/// Without `TlsDomain` the certificate is compared with the recipient's domain (New-SendConnector).
fn of_recipients(
    of: Properties<'_>,
    domains: &[String],
    way: &Way,
    making: &mut Making,
) -> Result<Names, Refusal> {
    if let [domain] = domains
        && matches!(value::server_name(domain), Ok(Pattern::Exact(_)))
    {
        making.note(
            "TlsDomain is empty: Exchange compares the certificate with the domain of the recipient, and so does this. Name what \
             the partner shows, if it is another name.",
        );
        return Ok(Names::Of(domains.to_vec()));
    }
    if way.hosts.is_empty() {
        making.note(
            "TlsDomain is empty: Exchange compares the certificate with the domain of the recipient. This also takes names \
             below that domain, which is wider: name those that the partner shows.",
        );
        return Ok(Names::Domain);
    }
    // Postfix would take the smart host's name for the domain, and any name of a list for every recipient.
    Err(of.refuse(
        "TlsDomain",
        "is empty, and the connector is for more than one domain: Exchange compares the smart host's certificate with each \
         recipient's domain, which Postfix cannot; set TlsDomain to the name that the smart host shows",
    ))
}
