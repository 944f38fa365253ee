//! `connectord explain outbound`: what the maps answer for a recipient, a domain or a next-hop.
//!
//! For an address the questions are those of one delivery: trivial-rewrite(8) asks `transport`
//! for the address, then smtp(8) asks `tls` for each next-hop that came of it, or for the
//! recipient's domain as it was typed. A `relayhost` is main.cf's and unknown here: with one, and
//! without a connector's route, Postfix asks for that host instead.
//!
//! Exim asks once, for the recipient's domain; what it asks about a certificate is not known here.

use std::fmt;
use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::{Mta, SCHEMA};
use crate::answer::{self, Answered, Applied, Lookup, Reply, exim};
use crate::cli::validated::Shown;
use crate::cli::{Exit, Failure, Output};
use crate::model::{Level, Place};
use crate::snapshot::{Snapshot, render};

/// The options of `explain outbound`.
#[derive(Debug, Args)]
pub struct Options {
    /// A recipient's address, a domain, or a next-hop as Postfix writes it, such as
    /// `[mail.contoso.com]:587`
    #[arg(allow_hyphen_values = true)]
    key: String,
    /// The MTA that asks
    #[arg(long, value_enum, default_value_t)]
    mta: Mta,
}

/// Every question that a delivery to `input` asks, with its answer.
#[derive(Debug, Serialize)]
pub struct Explanation<'s> {
    schema: u8,
    /// What was asked about.
    pub input: &'s str,
    /// The generation of the snapshot.
    pub generation: u64,
    /// The questions in their order.
    pub steps: Vec<Step<'s>>,
    /// Whether the connectors that took part are validated, each once.
    pub validation: Vec<Shown>,
}

/// A question and its answer.
#[derive(Debug, Serialize)]
pub struct Step<'s> {
    /// The map that is asked.
    pub map: &'static str,
    /// The key that it is asked for.
    pub key: String,
    /// The reply without its framing.
    pub reply: String,
    /// The enforcing connectors that made it.
    pub applies: Vec<Applies<'s>>,
    /// What reporting connectors would have replied.
    pub report: Vec<Report<'s>>,
    #[serde(skip)]
    meaning: String,
}

/// An enforcing connector that took part.
#[derive(Debug, Serialize)]
pub struct Applies<'s> {
    /// Its name.
    pub connector: &'s str,
    /// The pattern that it applies by, or `route`.
    pub pattern: String,
    /// Its mode.
    pub mode: &'static str,
    /// Where it is written.
    pub file: &'s str,
    /// The line of its table.
    pub line: usize,
}

/// A reporting connector that would have taken part.
#[derive(Debug, Serialize)]
pub struct Report<'s> {
    /// Its name.
    pub connector: &'s str,
    /// What it would have replied.
    pub would_reply: String,
    /// The pattern that it would have applied by, or `route`.
    pub pattern: String,
    /// Where it is written.
    pub file: &'s str,
    /// The line of its table.
    pub line: usize,
}

/// Asks what a delivery by Exim asks. What has an `@` is an address.
pub fn exim_explanation<'s>(snapshot: &'s Snapshot, input: &'s str) -> Explanation<'s> {
    let domain = input.rsplit_once('@').map_or(input, |(_, domain)| domain);
    let lookup = exim::out(snapshot, domain.as_bytes());
    let meaning = match &lookup.reply {
        exim::Reply::Policy(policy) => match &policy.gap {
            Some(gap) => format!("Exim defers the mail: {gap}; {}", gap.help()),
            None => format!("Exim {}", policy.transport.meaning()),
        },
        exim::Reply::Default => {
            "no enforcing connector applies: the routers and transports of the site decide".to_owned()
        }
        exim::Reply::Temp(_) => "Exim defers the mail".to_owned(),
    };
    let steps = vec![Step::new("out", domain, lookup, meaning)];
    Explanation { schema: SCHEMA, input, generation: snapshot.generation(), steps, validation: Vec::new() }
}

/// Asks what a delivery by Postfix asks. What has an `@` is an address.
pub fn explanation<'s>(snapshot: &'s Snapshot, input: &'s str) -> Explanation<'s> {
    let mut steps = Vec::new();
    match input.rsplit_once('@') {
        None => steps.push(tls(snapshot, input)),
        Some((_, domain)) => {
            let lookup = answer::transport(snapshot, input.as_bytes());
            let hops = match &lookup.reply {
                Reply::Ok(transport) => next_hops(transport, domain),
                Reply::NotFound | Reply::Perm(_) | Reply::Temp(_) => vec![domain.to_owned()],
            };
            let meaning = transport_meaning(&lookup.reply);
            steps.push(Step::new("transport", input, lookup, meaning));
            steps.extend(hops.iter().map(|hop| tls(snapshot, hop)));
        }
    }
    Explanation { schema: SCHEMA, input, generation: snapshot.generation(), steps, validation: Vec::new() }
}

impl<'s> Explanation<'s> {
    /// Those that took part, enforcing or not, each once.
    fn connectors(&self) -> Vec<&'s str> {
        let mut names = Vec::new();
        for step in &self.steps {
            let applies = step.applies.iter().map(|applies| applies.connector);
            for name in applies.chain(step.report.iter().map(|report| report.connector)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

fn tls<'s>(snapshot: &'s Snapshot, key: &str) -> Step<'s> {
    let lookup = answer::tls(snapshot, key.as_bytes());
    let meaning = tls_meaning(snapshot, key, &lookup.reply);
    Step::new("tls", key, lookup, meaning)
}

/// The next-hops of a transport entry (transport(5)): what is behind `SERVICE:`, and the domain
/// where nothing is.
fn next_hops(transport: &str, domain: &str) -> Vec<String> {
    let hops = transport.split_once(':').map_or("", |(_, hops)| hops);
    if hops.is_empty() {
        return vec![domain.to_owned()];
    }
    hops.split(',').map(|hop| hop.trim().to_owned()).collect()
}

fn transport_meaning(reply: &Reply<'_>) -> String {
    match reply {
        Reply::Ok(transport) => {
            let (service, hops) = transport.split_once(':').unwrap_or((transport, ""));
            let way = if hops.is_empty() {
                "by the MX records of the domain".to_owned()
            } else {
                format!("through {}", hops.replace(", ", ", else through "))
            };
            format!(
                "Postfix sends it {way}, with its service `{service}`, whatever relayhost says, if transport_maps asks this map"
            )
        }
        Reply::NotFound => {
            "no connector has a say in the route: main.cf decides; with a relayhost, Postfix asks for \
                            that below instead of the domain"
                .to_owned()
        }
        Reply::Perm(_) | Reply::Temp(_) => "Postfix defers the mail".to_owned(),
    }
}

fn tls_meaning(snapshot: &Snapshot, key: &str, reply: &Reply<'_>) -> String {
    match reply {
        Reply::Ok(policy) => {
            let level = policy.split(' ').next().and_then(Level::from_word);
            level.map_or_else(String::new, |level| format!("Postfix {}", render::meaning(level)))
        }
        Reply::NotFound if key.starts_with('.') => {
            "Postfix asks for a parent only after NOTFOUND for the full name, which has decided already"
                .to_owned()
        }
        Reply::NotFound => {
            let level = snapshot.mta().level;
            format!(
                "no enforcing connector applies: main.cf decides; at its level `{level}` (by [mta] level) Postfix {}",
                render::meaning(level)
            )
        }
        Reply::Perm(_) | Reply::Temp(_) => "Postfix defers the mail".to_owned(),
    }
}

impl<'s> Step<'s> {
    fn new<R: Answered>(map: &'static str, key: &str, lookup: Lookup<'s, R>, meaning: String) -> Self {
        let reply = lookup.reply.payload();
        let applies = lookup.applies.iter().map(Applies::of).collect();
        let report = lookup.report.iter().map(|reported| {
            let Applies { connector, pattern, file, line, .. } = Applies::of(&reported.applied);
            Report { connector, would_reply: reported.would_reply.payload(), pattern, file, line }
        });
        let report = report.collect();
        Step { map, key: key.to_owned(), reply, applies, report, meaning }
    }
}

impl<'s> Applies<'s> {
    fn of(applied: &Applied<'s>) -> Self {
        let agreement = &applied.connector.agreement;
        let Place { file, line } = &agreement.place;
        Applies {
            connector: agreement.name.as_str(),
            pattern: applied.by.to_string(),
            mode: agreement.mode.word(),
            file,
            line: *line,
        }
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.steps.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{step}")?;
        }
        if !self.validation.is_empty() {
            writeln!(f)?;
        }
        for Shown { connector, words, .. } in &self.validation {
            writeln!(f, "validated    {connector}: {words}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "map {}, key {}", self.map, self.key)?;
        writeln!(f, "  reply      {}", self.reply)?;
        writeln!(f, "  meaning    {}", self.meaning)?;
        for Applies { connector, pattern, mode, file, line } in &self.applies {
            writeln!(f, "  connector  {connector}, by {pattern}, {mode}, {file}:{line}")?;
        }
        for Report { connector, would_reply, pattern, file, line } in &self.report {
            writeln!(f, "  report     {connector}, by {pattern}, {file}:{line}")?;
            writeln!(f, "             would reply {would_reply}")?;
        }
        Ok(())
    }
}

pub(super) fn run(
    options: &Options,
    snapshot: &Snapshot,
    validation: &dyn Fn(&str) -> Option<Shown>,
    json: bool,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let mut explained = match options.mta {
        Mta::Postfix => explanation(snapshot, &options.key),
        Mta::Exim => exim_explanation(snapshot, &options.key),
    };
    explained.validation = explained.connectors().into_iter().filter_map(validation).collect();
    write(&explained, json, out)?;
    Ok(Exit::Good)
}

fn write(explanation: &Explanation<'_>, json: bool, out: &mut Output) -> io::Result<()> {
    if json { out.json(explanation) } else { write!(out, "{explanation}") }
}
