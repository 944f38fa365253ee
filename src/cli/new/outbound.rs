//! What is asked for mail to a partner: whose, by which way, and what their servers show.

use std::io::BufRead;

use super::ask::parts;
use super::doubt::{Doubt, odd_host, quoted};
use super::trial::{accepted, guessed, hosts, named, patterns};
use super::wizard::{FORMS, Plan, Wizard};
use crate::cli::Failure;
use crate::config::nearest;
use crate::migrate::{Draft, Names, OutboundTerms, Terms};
use crate::model::Level;
use crate::snapshot::Direction;

const LEVELS: &str = "
  secure     a certificate of a trusted authority, with a name that you give
  verify     the same with the name of the MX host, which without DNSSEC anybody may change
  encrypt    any certificate, also a self-signed one
  dane-only  what the partner's signed DNS says; without TLSA records no mail leaves";

const HOSTS: &str =
    "A smart host in brackets is that host itself; without them it is the MX hosts of that name.";

impl<R: BufRead> Wizard<'_, R> {
    pub(super) fn outbound(&mut self) -> Result<Plan, Failure> {
        let options = self.options;
        self.asker.tell(FORMS);
        let trial = |domains: Vec<String>| OutboundTerms::new(domains, Level::Encrypt);
        let text = "The partner's domains";
        let take = |domains| Terms::Outbound(trial(domains));
        let domains = self.domains(Direction::Outbound, text, None, take)?;
        let (name, path) = self.name(&domains, "")?;
        let people = self.people()?;
        let text = "Their MX hosts (mx), or smart hosts such as [mail.contoso.com]:587?";
        self.asker.tell(HOSTS);
        let mut doubt = Doubt::new(options.route.is_some() || self.asker.is_silent());
        let own = domains.clone();
        let route = self.answer("--route", options.route.as_deref(), text, Some("mx"), |answer| {
            quoted(answer)?;
            let route = parts(answer);
            let mut words = route.iter().filter(|hop| hop.eq_ignore_ascii_case("mx"));
            match (words.next(), route.len()) {
                (_, 0) => return Err("name at least one".to_owned()),
                (Some(_), 1) => return Ok(Vec::new()),
                (Some(_), _) => return Err("answer mx, or smart hosts, and not both".to_owned()),
                (None, _) => {}
            }
            accepted(Terms::Outbound(OutboundTerms { route: route.clone(), ..trial(own.clone()) }))?;
            doubt.of(answer, odd_host(answer))?;
            Ok(route)
        })?;
        self.asker.tell(LEVELS);
        let text = "TLS";
        let tls = self.answer("--tls", options.tls.as_deref(), text, Some("secure"), |answer| {
            let level = Level::from_word(answer).ok_or_else(|| no_level(answer))?;
            if level == Level::Fingerprint {
                return Err(
                    "digests are not asked for here: connectord.toml(5) says how to write them".to_owned()
                );
            }
            // Names come next.
            let names = if level == Level::Secure { named("x.example") } else { Names::Unsaid };
            accepted(Terms::Outbound(OutboundTerms { names, ..OutboundTerms::new(own.clone(), level) }))?;
            Ok(level)
        })?;
        let names = if tls.judges_chain() { self.names(tls, &domains, &route)? } else { Names::Unsaid };
        let mode = self.mode(Direction::Outbound, &domains)?;
        let terms = Terms::Outbound(OutboundTerms { names, route, ..OutboundTerms::new(domains, tls) });
        Ok(Plan { draft: Draft { name, mode, notes: Vec::new(), terms, people }, path })
    }

    fn names(&mut self, tls: Level, domains: &[String], route: &[String]) -> Result<Names, Failure> {
        let given = self.options.names.as_deref();
        let guess = if route.is_empty() { guessed(domains) } else { hosts(route) };
        let guess = guess.join(", ");
        let (text, default) = if tls == Level::Secure {
            (
                "The names that their certificate may show",
                Some(guess.as_str()).filter(|guess| !guess.is_empty()),
            )
        } else {
            ("The names that their certificate may show; none: the name of the host", Some(""))
        };
        let names = self.list("--match", given, text, default, |names| {
            let terms = OutboundTerms::new(domains.to_vec(), tls);
            Terms::Outbound(OutboundTerms { names: patterns(names), route: route.to_vec(), ..terms })
        })?;
        Ok(patterns(names))
    }
}

/// What is said of a word that is no level.
fn no_level(word: &str) -> String {
    let levels = || Level::ALL.into_iter().filter(|level| *level != Level::Fingerprint).map(Level::word);
    let all = levels().collect::<Vec<_>>().join(", ");
    let meant = nearest(word, levels()).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    format!("the levels are {all}{meant}")
}
