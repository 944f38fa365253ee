//! The questions, in the order of Exchange's wizard: direction, whose mail, name and description, route, security, mode.
//!
//! Each answer is read by the configuration itself, in a connector that has nothing else wrong: what it refuses, and why, is
//! what `check` would say. The defaults are the strictest that can be guessed, in `report`.

use std::collections::{BTreeMap, HashSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::ask::{Asker, Question, parts};
use super::options::Options;
use crate::cli::Failure;
use crate::config::{self, DropIn, Planned};
use crate::migrate::{Draft, InboundTerms, Names, OutboundTerms, People, Terms, Unique, file};
use crate::model::{Host, Level, Mode, NextHop, Pattern};
use crate::protocol::escape::printable;

/// A name for a connector that is only made to read an answer.
const TRIAL: &str = "trial";

/// Characters of a file's name that are no letters and no digits; others become `-`.
const PLAIN: &str = "._-+@";

/// Characters of a path that are shown.
const PATH: usize = 4096;

const LEVELS: &str = "
  secure     a certificate of a trusted authority, with a name that you give
  verify     the same with the name of the MX host, which without DNSSEC anybody may change
  encrypt    any certificate, also a self-signed one
  dane-only  what the partner's signed DNS says; without TLSA records no mail leaves";

const MODES: &str = "
  report   decides and logs what it would have done, and changes nothing
  enforce  decides: the mail travels as agreed, or not at all
  off      does neither";

/// Who asks, and what is known.
pub(super) struct Wizard<'w, R> {
    pub asker: Asker<R>,
    options: &'w Options,
    drop_in: &'w DropIn,
    taken: HashSet<&'w str>,
    /// The answers of the last round, by option.
    before: BTreeMap<&'static str, String>,
}

/// A connector, and where it goes.
pub(super) struct Plan {
    pub draft: Draft,
    pub path: PathBuf,
}

impl Plan {
    /// Whether `validate` has something to test: the partner's servers.
    pub fn is_tested(&self) -> bool {
        matches!(self.draft.terms, Terms::Outbound(_))
    }
}

impl<'w, R: BufRead> Wizard<'w, R> {
    /// One that asks; `taken` are the names that there are.
    pub fn new(asker: Asker<R>, options: &'w Options, drop_in: &'w DropIn, taken: HashSet<&'w str>) -> Self {
        Wizard { asker, options, drop_in, taken, before: BTreeMap::new() }
    }

    /// All of them.
    pub fn ask(&mut self) -> Result<Plan, Failure> {
        let options = self.options;
        let text = "Mail to the partner (outbound), or from there (inbound)?";
        let is_outbound =
            self.answer("--direction", options.direction.as_deref(), text, Some("outbound"), |answer| {
                match answer.to_ascii_lowercase().as_str() {
                    "outbound" | "out" | "o" => Ok(true),
                    "inbound" | "in" | "i" => Ok(false),
                    _ => Err("answer outbound or inbound".to_owned()),
                }
            })?;
        if is_outbound { self.outbound() } else { self.inbound() }
    }

    fn outbound(&mut self) -> Result<Plan, Failure> {
        let options = self.options;
        self.asker.tell(
            "Write *.contoso.com for contoso.com and every name below it, contoso.com for that name alone.",
        );
        let trial = |domains: Vec<String>| OutboundTerms::new(domains, Level::Encrypt);
        let text = "The partner's domains";
        let domains = self.list("--domains", options.domains.as_deref(), text, None, |domains| {
            Terms::Outbound(trial(domains))
        })?;
        let (name, path) = self.name(&domains, "")?;
        let people = self.people()?;
        let text = "Their MX hosts (mx), or smart hosts such as [mail.contoso.com]:587?";
        let own = domains.clone();
        let route = self.list("--route", options.route.as_deref(), text, Some("mx"), |route| {
            let route = if route == ["mx"] { Vec::new() } else { route };
            Terms::Outbound(OutboundTerms { route, ..trial(own.clone()) })
        })?;
        let route = if route == ["mx"] { Vec::new() } else { route };
        self.asker.tell(LEVELS);
        let text = "TLS";
        let tls = self.answer("--tls", options.tls.as_deref(), text, Some("secure"), |answer| {
            let level = Level::from_word(answer).ok_or("this is none of the levels")?;
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
        let names = if tls == Level::Secure { self.names(&domains, &route)? } else { Names::Unsaid };
        let mode = self.mode()?;
        let terms = Terms::Outbound(OutboundTerms { names, route, ..OutboundTerms::new(domains, tls) });
        Ok(Plan { draft: Draft { name, mode, notes: Vec::new(), terms, people }, path })
    }

    fn names(&mut self, domains: &[String], route: &[String]) -> Result<Names, Failure> {
        let options = self.options;
        let guess = if route.is_empty() { guessed(domains) } else { hosts(route) };
        let guess = (!guess.is_empty()).then(|| guess.join(", "));
        let text = "The names that their certificate may show";
        let names = self.list("--match", options.names.as_deref(), text, guess.as_deref(), |names| {
            let names = patterns(names);
            let terms = OutboundTerms::new(domains.to_vec(), Level::Secure);
            Terms::Outbound(OutboundTerms { names, route: route.to_vec(), ..terms })
        })?;
        Ok(patterns(names))
    }

    fn inbound(&mut self) -> Result<Plan, Failure> {
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

    fn name(&mut self, domains: &[String], behind: &str) -> Result<(String, PathBuf), Failure> {
        let options = self.options;
        let base = domains
            .first()
            .map_or("partner", |domain| domain.trim_start_matches("*.").trim_start_matches('.'));
        let mut unique = Unique::default();
        for taken in &self.taken {
            unique.name(taken, "partner");
        }
        let guess = unique.name(&format!("{base}{behind}"), "partner");
        let (taken, drop_in) = (self.taken.clone(), self.drop_in);
        self.answer("--name", options.name.as_deref(), "A name for it", Some(&guess), |name| {
            let trial = OutboundTerms::new(vec!["x.example".to_owned()], Level::Encrypt);
            accepted_as(name, Terms::Outbound(trial), People::default())?;
            if taken.contains(name) {
                return Err(format!("there is a connector {name}"));
            }
            let path = drop_in.path(&file_name(name)).ok_or("no file of that name would be included")?;
            if std::fs::symlink_metadata(&path).is_ok() {
                let path = printable(&path.display().to_string(), PATH);
                return Err(format!("{path} is there already; choose another name"));
            }
            Ok((name.to_owned(), path))
        })
    }

    fn people(&mut self) -> Result<People, Failure> {
        let options = self.options;
        let given = options.comment.as_deref();
        let comment = self.answer("--comment", given, "What it is for, for people", Some(""), text)?;
        let given = options.contact.as_deref();
        let contact = self.answer("--contact", given, "Whom to ask at the partner", Some(""), text)?;
        Ok(People { comment, contact, ..People::default() })
    }

    fn mode(&mut self) -> Result<Mode, Failure> {
        let options = self.options;
        self.asker.tell(MODES);
        self.answer("--mode", options.mode.as_deref(), "Mode", Some("report"), |answer| {
            let mut modes = [Mode::Report, Mode::Enforce, Mode::Off].into_iter();
            modes.find(|mode| mode.word() == answer).ok_or("answer report, enforce or off".to_owned())
        })
    }

    /// A list, each part of which the configuration takes in these terms. An empty one is taken if that is the default.
    fn list(
        &mut self,
        option: &'static str,
        given: Option<&str>,
        text: &str,
        default: Option<&str>,
        terms: impl Fn(Vec<String>) -> Terms,
    ) -> Result<Vec<String>, Failure> {
        let optional = default == Some("");
        self.answer(option, given, text, default, |answer| {
            let list = if optional && is_none(answer) { Vec::new() } else { parts(answer) };
            if !list.is_empty() {
                accepted(terms(list.clone()))?;
            } else if !optional {
                return Err("name at least one".to_owned());
            }
            Ok(list)
        })
    }

    fn answer<T>(
        &mut self,
        option: &'static str,
        given: Option<&str>,
        text: &str,
        default: Option<&str>,
        mut read: impl FnMut(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let before = self.before.get(option).cloned();
        let question = Question {
            text,
            given: given.map(|given| (option, given)),
            default: before.as_deref().or(default),
        };
        let mut said = String::new();
        let value = self.asker.ask(&question, |answer| {
            answer.clone_into(&mut said);
            read(answer)
        })?;
        self.before.insert(option, said);
        Ok(value)
    }
}

fn text(answer: &str) -> Result<Option<String>, String> {
    let answer = answer.trim();
    Ok((!is_none(answer)).then(|| answer.to_owned()))
}

/// The question shows `[none]`, and somebody may write that.
fn is_none(answer: &str) -> bool {
    matches!(answer.trim(), "" | "none")
}

fn named(name: &str) -> Names {
    Names::Of(vec![name.to_owned()])
}

fn patterns(names: Vec<String>) -> Names {
    if names == ["domain"] { Names::Domain } else { Names::Of(names) }
}

/// Names in the partner's domains, which is what one agrees on; none for everybody.
fn guessed(domains: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for domain in domains.iter().filter_map(|domain| Pattern::parse(domain).ok()) {
        let Some(domain) = domain.domain() else { return Vec::new() };
        let name = format!("*.{domain}");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The names of smart hosts; none if one is an address.
fn hosts(route: &[String]) -> Vec<String> {
    let hosts = route.iter().map(|hop| match NextHop::parse(hop).ok()?.host() {
        Host::Name(name) => Some(name.to_string()),
        Host::Address(_) => None,
    });
    hosts.collect::<Option<_>>().unwrap_or_default()
}

/// What a connector's file is called.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || PLAIN.contains(c) { c } else { '-' };
    format!("{}.toml", name.chars().map(plain).collect::<String>())
}

fn accepted(terms: Terms) -> Result<(), String> {
    accepted_as(TRIAL, terms, People::default())
}

/// What the configuration says of a connector by itself: the first problem.
fn accepted_as(name: &str, terms: Terms, people: People) -> Result<(), String> {
    let draft = Draft { name: name.to_owned(), mode: Mode::Report, notes: Vec::new(), terms, people };
    let path = Path::new("/trial.toml").to_owned();
    let planned = Planned { path: path.clone(), text: file(&[], &[draft]) };
    let (_, problems) = config::read_planned(&path, Timestamp::now(), planned);
    match problems.iter().next() {
        None => Ok(()),
        Some(problem) if problem.help.is_empty() => Err(problem.message.clone()),
        Some(problem) => Err(format!("{}; {}", problem.message, problem.help)),
    }
}
