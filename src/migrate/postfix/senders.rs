//! Inbound connectors, from tables of check_sender_access that demand TLS of some senders.
//!
//! An entry `reject_plaintext_session` refuses mail of a sender's domain that does not come over TLS. Postfix takes the most
//! specific entry for a sender; all inbound connectors that are about one count. So an entry with another one below it
//! cannot be imported, if that one lets such mail in.

use std::collections::{HashMap, HashSet};

use super::table::{Spot, Written};
use crate::config::value;
use crate::migrate::{Draft, InboundTerms, People, Refused, Terms, Unique};
use crate::model::{Domain, Mode, Pattern, domain};

/// The word that is looked for.
const REJECT: &str = "reject_plaintext_session";

/// What main.cf says about it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The restrictions that a name in smtpd_restriction_classes stands for.
    pub classes: HashMap<String, String>,
    /// Whether a domain stands for what is below it too: `smtpd_access_maps` in parent_domain_matches_subdomains.
    pub parents: bool,
    /// plaintext_reject_code.
    pub code: String,
}

impl Access {
    /// Whether an action is to refuse plaintext, and whether there is more in it.
    fn refuses(&self, action: &str) -> Option<bool> {
        let words = |text: &str| -> Vec<String> {
            let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        let mut all = words(action);
        if let [class] = all.as_slice()
            && let Some(restrictions) = self.classes.get(class)
        {
            all = words(restrictions);
        }
        let first = all.first().is_some_and(|first| first == REJECT);
        first.then_some(all.len() > 1)
    }
}

/// An entry that refuses plaintext.
struct Demanding {
    pattern: Pattern,
    spot: Spot,
    has_more: bool,
}

/// Makes a connector of the entries of one or more tables.
pub fn inbound(
    all: &[Written],
    access: &Access,
    mode: Mode,
    names: &mut Unique,
) -> (Vec<Draft>, Vec<Refused>) {
    let mut refused = Vec::new();
    let mut demanding: Vec<Demanding> = Vec::new();
    let mut known: HashSet<Pattern> = HashSet::new();
    // What lets somebody in, by the domain.
    let mut others: HashMap<Domain, &Written> = HashMap::new();
    let refuse = |written: &Written, reason: String| Refused {
        file: written.spot.file.to_string(),
        line: written.spot.line,
        subject: written.key.clone(),
        reason,
    };
    for written in all {
        let refuses = written.value.as_deref().ok().and_then(|action| access.refuses(action));
        match (refuses, pattern(&written.key, access.parents)) {
            (Some(has_more), Ok(pattern)) => {
                if known.insert(pattern.clone()) {
                    demanding.push(Demanding { pattern, spot: written.spot.clone(), has_more });
                }
            }
            (Some(_), Err(why)) => refused.push(refuse(written, why)),
            (None, _) => {
                let domain = written.key.rsplit('@').next().unwrap_or_default();
                if let Ok(domain) = Domain::parse(domain.trim_start_matches('.')) {
                    others.entry(domain).or_insert(written);
                }
            }
        }
    }
    let mut below: HashMap<&str, &Written> = HashMap::new();
    for (name, written) in &others {
        for parent in std::iter::once(name.as_str()).chain(domain::parents(name.as_str())) {
            below.entry(parent).or_insert(written);
        }
    }
    let mut members = Vec::new();
    for entry in demanding {
        let other = entry.pattern.domain().and_then(|name| match entry.pattern {
            Pattern::Exact(_) => others.get(name),
            Pattern::Tree(_) | Pattern::Below(_) | Pattern::Any => below.get(name.as_str()),
        });
        match other {
            Some(other) => refused.push(Refused {
                file: entry.spot.file.to_string(),
                line: entry.spot.line,
                subject: entry.pattern.to_string(),
                reason: format!(
                    "an entry for {} in it has another action, and an inbound connector leaves out no senders",
                    other.key
                ),
            }),
            None => members.push(entry),
        }
    }
    let drafts = if members.is_empty() { Vec::new() } else { vec![draft(&members, access, mode, names)] };
    (drafts, refused)
}

/// The senders of a key (smtpd_check.c:check_domain_access).
fn pattern(key: &str, parents: bool) -> Result<Pattern, String> {
    if key.contains(['@', '<', '*']) {
        return Err("an inbound connector is for the domains of senders, and not for an address".to_owned());
    }
    match value::domain(key)? {
        Pattern::Exact(name) if parents => Ok(Pattern::Tree(name)),
        Pattern::Below(_) if parents => {
            Err("Postfix does not ask for it: parent_domain_matches_subdomains has smtpd_access_maps"
                .to_owned())
        }
        pattern @ (Pattern::Exact(_) | Pattern::Tree(_) | Pattern::Below(_) | Pattern::Any) => Ok(pattern),
    }
}

fn draft(members: &[Demanding], access: &Access, mode: Mode, names: &mut Unique) -> Draft {
    let mut notes = vec![
        "For the null sender the name in HELO counts as its domain, and what the restrictions before check_sender_access let \
         in, such as permit_mynetworks, is let in only where [inbound_exempt] has it; authenticated clients are not judged"
            .to_owned(),
    ];
    let more: Vec<String> =
        members.iter().filter(|entry| entry.has_more).map(|entry| entry.pattern.to_string()).collect();
    if !more.is_empty() {
        notes.push(format!("What else the table demands stays there alone: {}", more.join(", ")));
    }
    let rejects = access.code.starts_with('5');
    Draft {
        name: names.name("senders over TLS", "senders"),
        mode,
        notes,
        terms: Terms::Inbound(InboundTerms {
            domains: members.iter().map(|entry| entry.pattern.to_string()).collect(),
            tls: Some(None),
            on_violation: if rejects { "reject" } else { "defer" }.to_owned(),
            ..InboundTerms::default()
        }),
        people: People::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::file;

    fn imported(table: &[(&str, &str)], access: &Access) -> (String, Vec<String>) {
        let all: Vec<Written> = (1..)
            .zip(table)
            .map(|(line, (key, value))| Written {
                spot: Spot { file: "senders".into(), line: Some(line) },
                key: (*key).to_owned(),
                value: Ok((*value).to_owned()),
            })
            .collect();
        let (drafts, refused) = inbound(&all, access, Mode::Report, &mut Unique::default());
        (file(&[], &drafts), refused.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn who_must_come_over_tls() {
        let access = Access {
            classes: HashMap::from([("tls".to_owned(), "reject_plaintext_session, permit".to_owned())]),
            parents: true,
            code: "450".to_owned(),
        };
        let table = [
            ("contoso.com", "reject_plaintext_session"),
            ("fabrikam.example", "tls"),
            ("other.example", "reject_plaintext_session"),
            ("lists.other.example", "OK"),
            ("bob@a.example", "reject_plaintext_session"),
            (".b.example", "reject_plaintext_session"),
            ("c.example", "REJECT no"),
        ];
        let (text, refused) = imported(&table, &access);
        let domains = "identify.domains = [\"*.contoso.com\", \"*.fabrikam.example\"]\n";
        assert!(text.contains(domains) && text.contains("on_violation     = \"defer\""), "{text}");
        assert!(text.contains("stays there alone: *.fabrikam.example"), "{text}");
        let begins = [
            "senders:5: bob@a.example",
            "senders:6: .b.example",
            "senders:3: *.other.example: an entry for lists.",
        ];
        assert_eq!(refused.len(), begins.len(), "{refused:?}");
        for (refused, begin) in refused.iter().zip(begins) {
            assert!(refused.starts_with(begin), "{refused}");
        }
        let (text, refused) = imported(&table, &Access { parents: false, code: "554".to_owned(), ..access });
        assert!(
            text.contains("\"contoso.com\", \"fabrikam.example\", \"other.example\", \".b.example\""),
            "{text}"
        );
        assert!(text.contains("on_violation     = \"reject\"") && refused.len() == 1, "{text} {refused:?}");
        assert_eq!(
            imported(&[("c.example", "OK")], &Access::default()),
            ("version = 1\n".to_owned(), vec![])
        );
    }
}
