//! What only the text of the configuration tells: the ACLs, named lists, retry rules, and which file a part is from.
//!
//! It is the text as `exim -bP config` prints it (readconf.c:print_config): macros are replaced, lines that go on are
//! joined, comments are gone, and `# 12 "/etc/exim4/connectord/acl"` stands where another file begins.

use std::collections::{BTreeMap, BTreeSet};

/// The text, taken apart.
#[derive(Debug, Default)]
pub struct Written {
    acls: BTreeMap<String, Vec<Statement>>,
    host_lists: BTreeMap<String, String>,
    domain_lists: BTreeMap<String, String>,
    /// Names of macros that the text defines.
    macros: BTreeSet<String>,
    /// The retry rules in their order, blanks as one.
    pub retry: Vec<String>,
    parts: BTreeMap<String, Part>,
}

/// A statement of an ACL: a verb with its conditions and modifiers.
#[derive(Debug)]
pub struct Statement {
    /// `accept`, `defer`, `deny`, `discard`, `drop`, `require`, `warn`.
    pub verb: String,
    /// Each with its value, in order; `endpass` has none.
    pub conditions: Vec<(String, String)>,
}

/// Where an ACL, a router or a transport is written.
#[derive(Debug, Default)]
pub struct Part {
    /// The file in which it begins.
    pub file: String,
    options: BTreeMap<String, String>,
}

const VERBS: [&str; 7] = ["accept", "defer", "deny", "discard", "drop", "require", "warn"];

impl Written {
    pub(super) fn parse(text: &str) -> Written {
        let mut written = Written::default();
        let mut section = "main";
        let mut file = "";
        // The ACL, router or transport that a line belongs to.
        let mut inside = String::new();
        for line in text.lines() {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                file = comment.split('"').nth(1).unwrap_or(file);
                continue;
            }
            if let Some(name) = line.strip_prefix("begin ") {
                section = name.trim();
                inside.clear();
                continue;
            }
            let is_macro = line.starts_with(|c: char| c.is_ascii_uppercase());
            let (name, value) = assignment(line);
            match section {
                _ if line.is_empty() => {}
                _ if is_macro && line.contains('=') => {
                    written.macros.insert(name.trim_end_matches('=').trim_end().to_owned());
                }
                "main" => written.add_list(name, value),
                "retry" => written.retry.push(line.split_whitespace().collect::<Vec<_>>().join(" ")),
                "acl" => match line.strip_suffix(':').filter(|name| is_name(name)) {
                    Some(name) => {
                        inside = name.to_owned();
                        written.acls.insert(inside.clone(), Vec::new());
                        written.add_part(section, name, file);
                    }
                    None => written.add_condition(&inside, line),
                },
                _ => match line.strip_suffix(':').filter(|name| is_name(name)) {
                    Some(name) => {
                        inside = written.add_part(section, name, file);
                    }
                    None => {
                        if let Some(part) = written.parts.get_mut(&inside) {
                            let name = name.trim_start_matches("hide ").trim_start_matches("no_");
                            part.options.insert(name.to_owned(), file.to_owned());
                        }
                    }
                },
            }
        }
        written
    }

    fn add_list(&mut self, name: &str, value: &str) {
        let name = name.trim_start_matches("hide ");
        // `hostlist_cache` and the like do not begin so.
        for (kind, lists) in [("hostlist ", &mut self.host_lists), ("domainlist ", &mut self.domain_lists)] {
            if let Some(list) = name.strip_prefix(kind) {
                lists.insert(list.trim().to_owned(), value.to_owned());
            }
        }
    }

    fn add_part(&mut self, section: &str, name: &str, file: &str) -> String {
        let path = format!("{section}/{name}");
        let part = Part { file: file.to_owned(), options: BTreeMap::new() };
        self.parts.insert(path.clone(), part);
        path
    }

    /// A verb begins a statement, and may have its first condition on the same line.
    fn add_condition(&mut self, acl: &str, line: &str) {
        let Some(statements) = self.acls.get_mut(acl) else { return };
        let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let mut condition = line;
        if VERBS.contains(&first) && !rest.trim_start().starts_with('=') {
            statements.push(Statement { verb: first.to_owned(), conditions: Vec::new() });
            condition = rest.trim_start();
        }
        if let (Some(statement), false) = (statements.last_mut(), condition.is_empty()) {
            let (name, value) = assignment(condition);
            statement.conditions.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The statements of an ACL; none for one that is not written.
    pub fn acl(&self, name: &str) -> Option<&[Statement]> {
        self.acls.get(name).map(Vec::as_slice)
    }

    /// The value of a named list of hosts.
    pub fn host_list(&self, name: &str) -> Option<&str> {
        self.host_lists.get(name).map(String::as_str)
    }

    /// The value of a named list of domains.
    pub fn domain_list(&self, name: &str) -> Option<&str> {
        self.domain_lists.get(name).map(String::as_str)
    }

    /// Whether the text defines a macro.
    pub fn defines(&self, name: &str) -> bool {
        self.macros.contains(name)
    }

    /// The values of all conditions of all ACLs.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let conditions = self.acls.values().flatten().flat_map(|statement| &statement.conditions);
        conditions.map(|(_, value)| value.as_str())
    }

    /// Where an ACL (section `acl`), a router (`routers`) or a transport (`transports`) is written.
    pub fn part(&self, section: &str, name: &str) -> Option<&Part> {
        self.parts.get(&format!("{section}/{name}"))
    }
}

impl Part {
    /// The file in which an option is set; `None`: nowhere, and it has its default.
    pub fn file_of(&self, option: &str) -> Option<&str> {
        self.options.get(option).map(String::as_str)
    }
}

/// The name of an ACL, a router or a transport.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// `name = value`; without a value the whole is the name.
fn assignment(line: &str) -> (&str, &str) {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    (name.trim(), value.trim())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = r#"# Exim Configuration (4.98.2)
# 1 "/var/lib/exim4/config.autogenerated"
A_MACRO = x
A_SECOND == y
hostlist relay_from_hosts = : 127.0.0.1 : ::::1
acl_smtp_rcpt = acl_first

begin acl
# 3 "/etc/exim4/connectord/acl"

  acl_first:
    require acl = acl_second " recipient=${quote:$local_part@$domain}"
    deny    condition     = ${if eq{a}{b}}
    message = no: never
    accept
    endpass
    acl = accept

  acl_second:
    accept
    hosts = :

begin routers
# 7 "/var/lib/exim4/config.autogenerated"

  ours:
    driver = redirect
    no_more

begin transports

  theirs:
    driver = smtp
# 5 "/etc/exim4/connectord/transport-options"
    multi_domain = false
# 9 "/var/lib/exim4/config.autogenerated"
    hide interface = x

begin retry
  *  tls_required   F,4d,1s
  *  *  F,2h,15m

begin rewrite
"#;

    #[test]
    fn acls_have_statements_with_conditions() {
        let written = Written::parse(TEXT);
        let flat = |name: &str| -> Vec<(String, Vec<(String, String)>)> {
            let statements = written.acl(name).unwrap().iter();
            statements.map(|Statement { verb, conditions }| (verb.clone(), conditions.clone())).collect()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            flat("acl_first"),
            [
                (
                    "require".to_owned(),
                    vec![pair("acl", r#"acl_second " recipient=${quote:$local_part@$domain}""#)]
                ),
                ("deny".to_owned(), vec![pair("condition", "${if eq{a}{b}}"), pair("message", "no: never")]),
                ("accept".to_owned(), vec![pair("endpass", ""), pair("acl", "accept")]),
            ]
        );
        assert_eq!(flat("acl_second"), [("accept".to_owned(), vec![pair("hosts", ":")])]);
        assert!(written.acl("acl_third").is_none());
    }

    #[test]
    fn the_rest_is_known_by_its_place() {
        let written = Written::parse(TEXT);
        assert_eq!(written.host_list("relay_from_hosts"), Some(": 127.0.0.1 : ::::1"));
        assert!(written.defines("A_MACRO") && written.defines("A_SECOND") && !written.defines("A"));
        assert_eq!(written.retry, ["* tls_required F,4d,1s", "* * F,2h,15m"]);
        let ours = written.part("routers", "ours").unwrap();
        let generated = "/var/lib/exim4/config.autogenerated";
        assert_eq!((ours.file.as_str(), ours.file_of("more")), (generated, Some(generated)));
        let theirs = written.part("transports", "theirs").unwrap();
        let files = ["driver", "multi_domain", "interface", "hosts"].map(|name| theirs.file_of(name));
        let options = Some("/etc/exim4/connectord/transport-options");
        assert_eq!(files, [Some(generated), options, Some(generated), None]);
    }
}
