//! The questions, in the order of Exchange's wizard: direction, whose mail, name and description, route, security, mode.
//!
//! Each answer is read by the configuration itself, in a connector that has nothing else wrong: what it refuses, and why, is
//! what `check` would say. The default is `report`, outbound at the strictest level that can be guessed, inbound with TLS 1.2.

use std::collections::{BTreeMap, HashSet};
use std::io::BufRead;
use std::path::PathBuf;

use super::ask::{Asker, Question, parts};
use super::belongs::free;
use super::doubt::{Doubt, quoted, undotted};
use super::options::Options;
use super::trial::{accepted, accepted_as, file_name, is_none, text};
use crate::cli::Failure;
use crate::config::DropIn;
use crate::migrate::{Draft, OutboundTerms, People, Terms, Unique};
use crate::model::{Agreements, Level, Mode};
use crate::protocol::escape::printable;
use crate::snapshot::Direction;

/// Characters of a path that are shown.
const PATH: usize = 4096;

const MODES: &str = "
  report   decides and logs what it would have done, and changes nothing
  enforce  decides: the mail travels as agreed, or not at all
  off      does neither";

/// How domains are written at a prompt.
pub(super) const FORMS: &str = "Write *.contoso.com for contoso.com and every name below it, contoso.com for that name \
                                alone; commas\nseparate several.";

/// Whose mail it is, and by which way.
const PARTNER: [&str; 3] = ["--domains", "--addresses", "--route"];

/// The names that belong to that.
const CERTIFIED: [&str; 2] = ["--match", "--certificate-names"];

/// Who asks, and what is known.
pub(super) struct Wizard<'w, R> {
    pub asker: Asker<R>,
    pub(super) options: &'w Options,
    drop_in: &'w DropIn,
    taken: HashSet<&'w str>,
    agreements: &'w Agreements,
    /// The answers of the last round, by option.
    before: BTreeMap<&'static str, String>,
    /// Those among them that are not what was offered: only they are offered again. What was guessed from an answer that
    /// has changed is guessed anew.
    chosen: BTreeMap<&'static str, String>,
    /// The options of which something was asked in this round.
    asked: HashSet<&'static str>,
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
    pub fn new(
        asker: Asker<R>,
        options: &'w Options,
        drop_in: &'w DropIn,
        taken: HashSet<&'w str>,
        agreements: &'w Agreements,
    ) -> Self {
        let (before, chosen) = (BTreeMap::new(), BTreeMap::new());
        Wizard { asker, options, drop_in, taken, agreements, before, chosen, asked: HashSet::new() }
    }

    /// All of them.
    pub fn ask(&mut self) -> Result<Plan, Failure> {
        let options = self.options;
        self.asked.clear();
        let text = "Mail to the partner (outbound), or from there (inbound)?";
        let is_outbound =
            self.answer("--direction", options.direction.as_deref(), text, Some("outbound"), |answer| {
                match answer.to_ascii_lowercase().as_str() {
                    "outbound" | "out" | "o" => Ok(true),
                    "inbound" | "in" | "i" => Ok(false),
                    _ => Err("answer outbound or inbound".to_owned()),
                }
            })?;
        let plan = if is_outbound { self.outbound() } else { self.inbound() }?;
        // An answer that counts for nothing may have been meant to demand something.
        let untested = (options.validate && !plan.is_tested()).then_some("--validate");
        match options.given().find(|option| !self.asked.contains(option)).or(untested) {
            Some(idle) => Err(Failure::Argument(format!("{idle} has no meaning beside the other answers"))),
            None => Ok(plan),
        }
    }

    pub(super) fn name(&mut self, domains: &[String], behind: &str) -> Result<(String, PathBuf), Failure> {
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
            accepted_as(name, Terms::Outbound(trial))?;
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

    pub(super) fn people(&mut self) -> Result<People, Failure> {
        let options = self.options;
        let given = options.comment.as_deref();
        let comment = self.answer("--comment", given, "What it is for, for people", Some(""), text)?;
        let given = options.contact.as_deref();
        let contact = self.answer("--contact", given, "Whom to ask at the partner", Some(""), text)?;
        Ok(People { comment, contact, ..People::default() })
    }

    /// The mode, in which none of the domains has a connector yet.
    pub(super) fn mode(&mut self, direction: Direction, domains: &[String]) -> Result<Mode, Failure> {
        let (options, agreements) = (self.options, self.agreements);
        self.asker.tell(MODES);
        self.answer("--mode", options.mode.as_deref(), "Mode", Some("report"), |answer| {
            let mode = mode_of(answer).ok_or("answer report, enforce or off")?;
            free(agreements, direction, mode, domains)?;
            Ok(mode)
        })
    }

    /// The partner's domains: none that has a connector, in the mode of the command line or else in `report`.
    pub(super) fn domains(
        &mut self,
        direction: Direction,
        text: &str,
        default: Option<&str>,
        terms: impl Fn(Vec<String>) -> Terms,
    ) -> Result<Vec<String>, Failure> {
        let (options, agreements) = (self.options, self.agreements);
        let mode = options.mode.as_deref().map_or(Some(Mode::Report), mode_of);
        let mut doubt = Doubt::new(options.domains.is_some() || self.asker.is_silent());
        self.list_with("--domains", options.domains.as_deref(), text, default, |answer, list| {
            accepted(terms(list.to_vec()))?;
            // Of a mode that is none the question after it tells.
            mode.map_or(Ok(()), |mode| free(agreements, direction, mode, list))?;
            doubt.of(answer, undotted(list))
        })
    }

    /// A list, each part of which the configuration takes in these terms. An empty one is taken if that is the default.
    pub(super) fn list(
        &mut self,
        option: &'static str,
        given: Option<&str>,
        text: &str,
        default: Option<&str>,
        terms: impl Fn(Vec<String>) -> Terms,
    ) -> Result<Vec<String>, Failure> {
        self.list_with(option, given, text, default, |_, list| accepted(terms(list.to_vec())))
    }

    fn list_with(
        &mut self,
        option: &'static str,
        given: Option<&str>,
        text: &str,
        default: Option<&str>,
        mut take: impl FnMut(&str, &[String]) -> Result<(), String>,
    ) -> Result<Vec<String>, Failure> {
        let optional = default == Some("");
        self.answer(option, given, text, default, |answer| {
            quoted(answer)?;
            let list = if optional && is_none(answer) { Vec::new() } else { parts(answer) };
            if !list.is_empty() {
                take(answer, &list)?;
            } else if !optional {
                return Err("name at least one".to_owned());
            }
            Ok(list)
        })
    }

    pub(super) fn answer<T>(
        &mut self,
        option: &'static str,
        given: Option<&str>,
        text: &str,
        default: Option<&str>,
        mut read: impl FnMut(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        self.asked.insert(option);
        let chosen = self.chosen.get(option).cloned();
        let default = chosen.as_deref().or(default);
        let question = Question { text, option, given, default };
        let mut said = String::new();
        let value = self.asker.ask(&question, |answer| {
            answer.clone_into(&mut said);
            read(answer)
        })?;
        if default != Some(said.as_str()) {
            self.chosen.insert(option, said.clone());
        }
        let changed = self.before.insert(option, said.clone()).is_some_and(|before| before != said);
        if changed && PARTNER.contains(&option) {
            // They were another partner's.
            CERTIFIED.iter().for_each(|option| drop(self.chosen.remove(option)));
        }
        Ok(value)
    }
}

fn mode_of(word: &str) -> Option<Mode> {
    [Mode::Report, Mode::Enforce, Mode::Off].into_iter().find(|mode| mode.word() == word)
}
