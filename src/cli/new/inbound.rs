//! What is asked for mail from a partner: which mail that is, and what it has to show.

use std::io::BufRead;

use super::trial::accepted;
use super::wizard::{Plan, Wizard};
use crate::cli::Failure;
use crate::migrate::{Draft, InboundTerms, Terms};

impl<R: BufRead> Wizard<'_, R> {
    pub(super) fn inbound(&mut self) -> Result<Plan, Failure> {
        let options = self.options;
        self.asker
            .tell("Mail is the partner's by the domain of its sender, or by the address of the client.");
        let trial = || InboundTerms {
            domains: vec!["x.example".to_owned()],
            tls: Some(None),
            on_violation: "reject".to_owned(),
            ..InboundTerms::default()
        };
        let text = "The partner's domains, such as *.contoso.com";
        let domains = self.list("--domains", options.domains.as_deref(), text, Some(""), |domains| {
            Terms::Inbound(InboundTerms { domains, ..trial() })
        });
        let domains = domains?;
        let text = "Addresses that are the partner's whatever the sender, such as 203.0.113.0/24";
        let none = if domains.is_empty() { None } else { Some("") };
        let addresses = self.list("--addresses", options.addresses.as_deref(), text, none, |addresses| {
            Terms::Inbound(InboundTerms { addresses, ..trial() })
        })?;
        let (name, path) = self.name(&domains, "-in")?;
        let people = self.people()?;
        let text = "TLS: of this version at least, of any (true), or none?";
        let tls = self.answer(
            "--require-tls",
            options.require_tls.as_deref(),
            text,
            Some(">=TLSv1.2"),
            |answer| {
                let tls = match answer {
                    "none" => None,
                    "true" => Some(None),
                    version => Some(Some(version.to_owned())),
                };
                // Something has to be demanded.
                let names = vec!["x.example".to_owned()];
                accepted(Terms::Inbound(InboundTerms {
                    tls: tls.clone(),
                    certificate_names: names,
                    ..trial()
                }))?;
                Ok(tls)
            },
        )?;
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
        let mode = self.mode()?;
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
