//! What is asked for mail from a partner: which mail that is, and what it has to show.

use std::io::BufRead;

use super::trial::accepted;
use super::wizard::{FORMS, Plan, Wizard};
use crate::cli::Failure;
use crate::migrate::{Draft, InboundTerms, Terms};
use crate::snapshot::Direction;

impl<R: BufRead> Wizard<'_, R> {
    pub(super) fn inbound(&mut self) -> Result<Plan, Failure> {
        let options = self.options;
        self.asker
            .tell("Mail is the partner's by the domain of its sender, or by the address of the client.");
        self.asker.tell(FORMS);
        let trial = || InboundTerms {
            domains: vec!["x.example".to_owned()],
            tls: Some(None),
            on_violation: "reject".to_owned(),
            ..InboundTerms::default()
        };
        let text = "The partner's domains, such as *.contoso.com";
        let take = |domains| Terms::Inbound(InboundTerms { domains, ..trial() });
        let domains = self.domains(Direction::Inbound, text, Some(""), take)?;
        let text = "Addresses that are the partner's whatever the sender, such as 203.0.113.0/24";
        let none = if domains.is_empty() { None } else { Some("") };
        let addresses = self.list("--addresses", options.addresses.as_deref(), text, none, |addresses| {
            Terms::Inbound(InboundTerms { addresses, ..trial() })
        })?;
        let (name, path) = self.name(&domains, "-in")?;
        let people = self.people()?;
        let text = "TLS: 1.2 or 1.3 (that version or newer), yes (any version), or none?";
        let tls =
            self.answer("--require-tls", options.require_tls.as_deref(), text, Some("1.2"), |answer| {
                let tls = match answer.to_ascii_lowercase().as_str() {
                    "none" => None,
                    "true" | "yes" => Some(None),
                    _ => Some(Some(version(answer))),
                };
                // Something has to be demanded.
                let names = vec!["x.example".to_owned()];
                accepted(Terms::Inbound(InboundTerms {
                    tls: tls.clone(),
                    certificate_names: names,
                    ..trial()
                }))?;
                Ok(tls)
            })?;
        let text = "Names that a client certificate must show, such as *.contoso.com";
        let given = options.certificate_names.as_deref();
        let certificate_names =
            self.list("--certificate-names", given, text, Some(""), |certificate_names| {
                Terms::Inbound(InboundTerms { certificate_names, ..trial() })
            })?;
        let text = "Addresses that it must come from";
        let given = options.require_addresses.as_deref();
        let required_addresses =
            self.list("--require-addresses", given, text, Some(""), |required_addresses| {
                Terms::Inbound(InboundTerms { required_addresses, ..trial() })
            })?;
        let text = "Mail that does not comply: reject, defer or hold?";
        let given = options.on_violation.as_deref();
        let on_violation = self.answer("--on-violation", given, text, Some("reject"), |answer| {
            accepted(Terms::Inbound(InboundTerms { on_violation: answer.to_owned(), ..trial() }))?;
            Ok(answer.to_owned())
        })?;
        let mode = self.mode(Direction::Inbound, &domains)?;
        let terms = Terms::Inbound(InboundTerms {
            domains,
            addresses,
            tls,
            certificate_names,
            required_addresses,
            on_violation,
            ..InboundTerms::default()
        });
        Ok(Plan { draft: Draft { name, mode, notes: Vec::new(), terms, people }, path })
    }
}

/// `1.2` and `TLSv1.2` are `>=TLSv1.2`; what else there is the configuration judges.
fn version(answer: &str) -> String {
    let number = answer.strip_prefix(">=").unwrap_or(answer);
    let number = number.strip_prefix("TLSv").unwrap_or(number);
    if number.starts_with(|c: char| c.is_ascii_digit()) {
        return format!(">=TLSv{number}");
    }
    answer.to_owned()
}
