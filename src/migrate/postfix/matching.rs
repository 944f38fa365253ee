//! The names that a policy accepts: names, and Postfix's words for where to take them from.
//!
//! `nexthop` is the domain asked for, `dot-nexthop` what is below it, `hostname` the name of the MX host
//! (postconf(5), smtp_tls_secure_cert_match). A connector says the first two together as `match = "domain"`, and the last
//! one by `verify` without `match`. Where only one domain can be asked for, it can be written instead of the words.

use super::key::together;
use super::policy::MainCf;
use crate::config::value;
use crate::model::names::Names;
use crate::model::{Domain, Level, Pattern, PatternSet};

/// Names, where not only that of the MX host counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Matched {
    /// The domain asked for and what is below it.
    Domain,
    /// These; never none.
    Of(Vec<Pattern>),
}

impl Matched {
    /// As the model has them.
    pub fn names(&self) -> Names {
        match self {
            Matched::Domain => Names::Domain,
            Matched::Of(patterns) => Names::Set(PatternSet::new(patterns.clone())),
        }
    }

    /// The same with the domain spelt out.
    #[must_use]
    pub fn resolved(&self, domain: &Domain) -> Matched {
        match self {
            Matched::Domain => Matched::Of(vec![Pattern::Tree(domain.clone())]),
            Matched::Of(_) => self.clone(),
        }
    }
}

/// Reads the attributes `match`, or main.cf's list where there are none; `None` is the name of the MX host.
pub(super) fn read(
    written: &[&str],
    level: Level,
    domain: Option<&Domain>,
    main_cf: &MainCf,
) -> Result<Option<Matched>, String> {
    let default = if level == Level::Verify { &main_cf.verify_match } else { &main_cf.secure_match };
    let default: Vec<&str> = default.split([',', ' ', '\t', ':']).filter(|word| !word.is_empty()).collect();
    let words: Vec<&str> =
        written.iter().flat_map(|list| list.split(':')).filter(|word| !word.is_empty()).collect();
    let words = if written.is_empty() { default } else { words };
    let is = |word: &str, strategy: &str| word.eq_ignore_ascii_case(strategy);
    if words.is_empty() {
        return Err("no name to match: Postfix defers this mail".to_owned());
    }
    if words.iter().any(|word| is(word, "hostname")) {
        return match (level, words.as_slice()) {
            (Level::Verify, [_]) => Ok(None),
            _ => Err("a connector has no form for the word `hostname`, which takes the name from DNS, beside other names or \
                      at `secure`; with it alone `verify` says the same"
                .to_owned()),
        };
    }
    let has = |strategy: &str| words.iter().any(|word| is(word, strategy));
    let strategy = |word: &&&str| is(word, "nexthop") || is(word, "dot-nexthop");
    let strategies = words.iter().filter(strategy).count();
    if strategies == words.len() && has("nexthop") && has("dot-nexthop") {
        return Ok(Some(Matched::Domain));
    }
    if strategies > 0 && domain.is_none() {
        return Err("for more than one domain a connector has no form for `nexthop` or `dot-nexthop` alone or beside names"
            .to_owned());
    }
    let mut patterns: Vec<Pattern> = Vec::with_capacity(words.len());
    for word in words {
        let pattern = match domain {
            Some(domain) if is(word, "nexthop") => name(domain.as_str())?,
            Some(domain) if is(word, "dot-nexthop") => name(&format!(".{domain}"))?,
            _ => name(word)?,
        };
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    Ok(Some(Matched::Of(together(patterns))))
}

fn name(word: &str) -> Result<Pattern, String> {
    if word.contains('*') {
        return Err(format!(
            "Postfix has no `*` in `match`: `{word}` is met by a certificate that shows just that; write `.{}`",
            word.trim_start_matches(['*', '.'])
        ));
    }
    value::server_name(word)
}
