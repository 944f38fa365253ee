//! What a key of smtp_tls_policy_maps stands for.
//!
//! Postfix asks for the next-hop: a domain, then its parents with a dot before them; or the text of a transport or a
//! `relayhost`, `[host]:port`, for which it asks as it is written and for nothing else (smtp_tls_policy.c:tls_policy_lookup).

use std::collections::HashSet;

use crate::config::value;
use crate::model::host::NextHop;
use crate::model::pattern::Entry;
use crate::model::{Domain, Host, Pattern};

/// A key that Postfix asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A domain: the name alone, or what is below it.
    Domain(Pattern),
    /// A host, by its name, as it is written.
    Host(Domain, NextHop),
    /// A host, by its address.
    Address(NextHop),
}

impl Key {
    /// Reads a key as it stands in a table.
    ///
    /// # Errors
    /// Why no connector can have it.
    pub fn parse(text: &str) -> Result<Key, String> {
        if text.contains('@') {
            return Err("Postfix asks for domains and next-hops here, and never for an address".to_owned());
        }
        if text.contains('*') {
            return Err("Postfix knows no `*` here and asks for no such key".to_owned());
        }
        if text.starts_with('/') {
            return Err("a socket of LMTP; connectors are for SMTP".to_owned());
        }
        let is_bare = !text.contains(['[', ']', ':']);
        if is_bare && text.ends_with('.') {
            return Err("Postfix asks for no name with a dot at its end".to_owned());
        }
        if is_bare && text.starts_with('.') {
            // As the file will be read: `.192.0.2.1` is no domain there.
            return value::domain(text).map(Key::Domain);
        }
        let hop = NextHop::parse(text).map_err(|error| error.to_string())?;
        match hop.host() {
            Host::Name(name) if is_bare => value::domain(name.as_str()).map(Key::Domain),
            Host::Name(name) => Ok(Key::Host(name.clone(), hop.clone())),
            Host::Address(_) if is_bare => Err("Postfix asks for an address in brackets only".to_owned()),
            Host::Address(_) => Ok(Key::Address(hop)),
        }
    }
}

/// The one entry of a pattern that is a name or what is below it.
pub fn entry(pattern: &Pattern) -> Entry<'_> {
    match pattern {
        Pattern::Exact(name) | Pattern::Tree(name) => Entry::Name(name.as_str()),
        Pattern::Below(name) => Entry::Suffix(name.as_str()),
        Pattern::Any => Entry::Any,
    }
}

/// `x` and `.x` as the one pattern `*.x`, where the first of both is.
pub fn together(patterns: Vec<Pattern>) -> Vec<Pattern> {
    let all: HashSet<Pattern> = patterns.iter().cloned().collect();
    let mut done: HashSet<Pattern> = HashSet::new();
    let mut out = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        let whole = match &pattern {
            Pattern::Exact(name) if all.contains(&Pattern::Below(name.clone())) => {
                Pattern::Tree(name.clone())
            }
            Pattern::Below(name) if all.contains(&Pattern::Exact(name.clone())) => {
                Pattern::Tree(name.clone())
            }
            Pattern::Exact(_) | Pattern::Below(_) | Pattern::Tree(_) | Pattern::Any => pattern,
        };
        if done.insert(whole.clone()) {
            out.push(whole);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_domain_or_a_next_hop() {
        let shown = |text: &str| match Key::parse(text) {
            Ok(Key::Domain(pattern)) => format!("domain {pattern}"),
            Ok(Key::Host(name, hop)) => format!("host {name} {hop}"),
            Ok(Key::Address(hop)) => format!("address {hop}"),
            Err(why) => format!("no: {why}"),
        };
        for (text, expected) in [
            ("Contoso.com", "domain contoso.com"),
            (".contoso.com", "domain .contoso.com"),
            (".com", "domain .com"),
            ("b\u{fc}cher.example", "domain xn--bcher-kva.example"),
            ("[mail.contoso.com]:587", "host mail.contoso.com [mail.contoso.com]:587"),
            ("[mail.contoso.com]", "host mail.contoso.com [mail.contoso.com]"),
            ("contoso.com:submission", "host contoso.com contoso.com:submission"),
            ("[192.0.2.1]:25", "address [192.0.2.1]:25"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        for text in [
            "a@b.example",
            "*",
            "*.b.example",
            "/run/lmtp",
            "b.example.",
            ".",
            "192.0.2.1",
            ".192.0.2.1",
            "[a",
            "a b",
        ] {
            assert!(shown(text).starts_with("no: "), "{text}: {}", shown(text));
        }
    }
}
