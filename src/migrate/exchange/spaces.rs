//! Domains as Exchange writes them, and the patterns that they are here.
//!
//! `contoso.com` is that domain alone and `*.contoso.com` is it with everything below, in Exchange (New-SendConnector,
//! `AddressSpaces`) as in our patterns, so one becomes the other as it stands. In `SenderDomains` and `AddressSpaces`
//! each has a type before it and a cost behind it: `smtp:contoso.com;1`.

use super::properties::{Properties, Refusal, shown};
use super::record::{Record, Value};
use crate::config::value;

/// A list of domains.
pub(super) fn domains(of: Properties<'_>, name: &str, texts: &[&str]) -> Result<Vec<String>, Refusal> {
    texts.iter().map(|text| pattern(of, name, text)).collect()
}

/// A list of address spaces.
pub(super) fn address_spaces(of: Properties<'_>, name: &str, texts: &[&str]) -> Result<Vec<String>, Refusal> {
    texts
        .iter()
        .map(|text| match space(text) {
            Some(domain) => pattern(of, name, domain),
            None => {
                Err(of.refuse(name, format_args!("has {}, which is no address space of SMTP", shown(text))))
            }
        })
        .collect()
}

/// The cost that all address spaces of a send connector have, of which the lowest goes first; `None` where there is no
/// one cost.
pub(super) fn cost(record: &Record) -> Option<u32> {
    let spaces = match &record.find("AddressSpaces")?.value {
        Value::List(spaces) => spaces.as_slice(),
        one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Object) => {
            std::slice::from_ref(one)
        }
    };
    let costs = spaces.iter().map(|space| match space {
        Value::Text(text) => text.split_once(';').map_or(Some(1), |(_, cost)| cost.parse().ok()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object => None,
    });
    let costs: Vec<u32> = costs.collect::<Option<_>>()?;
    costs.first().copied().filter(|first| costs.iter().all(|cost| cost == first))
}

/// The domain of an address space.
fn space(text: &str) -> Option<&str> {
    let (kind, rest) = text.split_once(':').unwrap_or(("smtp", text));
    let (domain, cost) = rest.split_once(';').unwrap_or((rest, "1"));
    let plain = !cost.is_empty() && cost.bytes().all(|digit| digit.is_ascii_digit());
    (kind.trim().eq_ignore_ascii_case("smtp") && plain).then(|| domain.trim())
}

fn pattern(of: Properties<'_>, name: &str, text: &str) -> Result<String, Refusal> {
    // A dot before it means only what is below here, and nothing in Exchange.
    if text.starts_with('.') {
        return Err(of.refuse(name, format_args!("has {}, which is no domain in Exchange", shown(text))));
    }
    let pattern = value::domain(text).map_err(|reason| of.refuse(name, format_args!("has {reason}")))?;
    Ok(pattern.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_cost_are_taken_off() {
        for (text, domain) in [
            ("smtp:contoso.com;1", Some("contoso.com")),
            ("SMTP:*.contoso.com;10", Some("*.contoso.com")),
            ("contoso.com", Some("contoso.com")),
            ("contoso.com;5", Some("contoso.com")),
            ("smtp:*;1", Some("*")),
            ("X400:c=US;a= ;p=Contoso;1", None),
            ("smtp:contoso.com;", None),
            ("smtp:contoso.com;x", None),
        ] {
            assert_eq!(space(text), domain, "{text}");
        }
    }
}
