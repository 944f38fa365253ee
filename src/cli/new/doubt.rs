//! What can be meant and most often is not: said once to whoever types it, and taken when it comes again.

use super::ask::parts;
use crate::model::{Host, NextHop};

/// Services that mail is handed over to (IANA's registry of ports); others are numbers.
const SERVICES: [&str; 4] = ["smtp", "submission", "submissions", "smtps"];

/// The doubts of one question.
pub(super) struct Doubt {
    /// The answer that was doubted; none is where nobody is asked.
    last: Option<String>,
    is_silent: bool,
}

impl Doubt {
    /// None yet; for an answer that nobody types there never is one.
    pub fn new(is_silent: bool) -> Self {
        Doubt { last: None, is_silent }
    }

    /// Doubts an answer for this reason, but not the same answer twice.
    pub fn of(&mut self, answer: &str, reason: Option<String>) -> Result<(), String> {
        let Some(reason) = reason.filter(|_| !self.is_silent && self.last.as_deref() != Some(answer)) else {
            return Ok(());
        };
        self.last = Some(answer.to_owned());
        Err(format!("{reason}; write it again if it is meant"))
    }
}

/// Quotation marks and the like are for the file.
pub(super) fn quoted(answer: &str) -> Result<(), String> {
    if answer.contains(['"', '\'', ';']) {
        return Err("separate with commas, without quotation marks".to_owned());
    }
    Ok(())
}

/// A domain of a single label: a slip, or a word of a name with spaces.
pub(super) fn undotted(domains: &[String]) -> Option<String> {
    let bare = domains.iter().find(|domain| *domain != "*" && !plain(domain).contains('.'))?;
    Some(format!("`{bare}` has no dot"))
}

fn plain(domain: &str) -> &str {
    domain.strip_prefix("*.").or_else(|| domain.strip_prefix('.')).unwrap_or(domain).trim_end_matches('.')
}

/// A smart host of a single label, or a port that is neither a number nor a service of mail.
pub(super) fn odd_host(answer: &str) -> Option<String> {
    parts(answer).iter().find_map(|text| {
        let host = NextHop::parse(text).ok()?;
        if let Host::Name(name) = host.host()
            && !name.to_string().contains('.')
        {
            return Some(format!("`{text}` has no dot"));
        }
        let (_, port) = text.rsplit_once(':').filter(|(_, port)| !port.contains(']'))?;
        let is_known = port.bytes().all(|octet| octet.is_ascii_digit()) || SERVICES.contains(&port);
        (!is_known).then(|| format!("`{port}` is no number of a port"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd() {
        for (answer, reason) in [
            ("[mail.contoso.com]:587, mail.contoso.com", None),
            ("[mail.contoso.com]:submission, [192.0.2.1]:25 [2001:db8::1]", None),
            ("mail.contoso.com, contoso", Some("`contoso` has no dot")),
            ("smtp.contoso.com:abc", Some("`abc` is no number of a port")),
            ("[192.0.2.1]:abc", Some("`abc` is no number of a port")),
        ] {
            assert_eq!(odd_host(answer).as_deref(), reason, "{answer}");
        }
        for (domain, is_odd) in
            [("contoso", true), ("*.contoso", true), (".com", true), ("contoso.com", false), ("*", false)]
        {
            assert_eq!(undotted(&[domain.to_owned()]).is_some(), is_odd, "{domain}");
        }
    }

    #[test]
    fn nothing_is_doubted_twice_nor_of_a_script() {
        let mut doubt = Doubt::new(false);
        let mut doubts = |answer| doubt.of(answer, undotted(&parts(answer))).is_err();
        assert_eq!(["a", "a", "b", "a", "a.example"].map(&mut doubts), [true, false, true, true, false]);
        assert!(Doubt::new(true).of("a", Some("no dot".to_owned())).is_ok());
    }
}
