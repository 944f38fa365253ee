//! What a connector demands, in sentences for whoever runs the partner's mail servers.

use super::ours::Ours;
use super::page::{Page, shown};
use crate::migrate::range::range;
use crate::model::certificate::pem;
use crate::model::inbound::{Action, CertificateRequirement, TlsRequirement};
use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::requirement::{Anchors, CipherGrade, Requirement, ServerName};
use crate::model::{Inbound, Level, Mode, Outbound, Pattern};

/// Things that are named before the rest is counted: a kit is read by people.
const MANY: usize = 20;

/// What Exim and Google compare our certificate with.
pub(super) const COMPARED: &str = "What is compared is the name of our MX host. It comes from DNS \
                                   that nobody has signed, so this is weaker than a name that is agreed on.";

/// What the servers that take our mail have to show.
pub(super) fn outbound(page: &mut Page, connector: &Outbound) {
    let Outbound { domains, except, requirement, route, .. } = connector;
    page.talk(&format!("Mail from us to {}:", listed(domains.iter().map(|pattern| described(&pattern)))));
    mode(page, connector.mode);
    if !except.is_empty() {
        let except = listed(except.iter().map(|pattern| described(&pattern.names())));
        page.item(&format!("not to {except}"));
    }
    if let Route::SmartHosts(hosts) = route {
        page.item(&format!("we hand it over at {}, in this order", listed(hosts.iter())));
    }
    level(page, requirement, route);
    if let Some(version) = requirement.min_version() {
        page.item(&format!("{version} or newer"));
    }
    if requirement.ciphers() == Some(CipherGrade::High) {
        page.item("strong ciphers, of 128 bits or more; not the oldest algorithms");
    }
    if let Some(ServerName::Name(name)) = requirement.servername() {
        page.item(&format!("our servers ask for the certificate of {name} (SNI)"));
    }
    if !requirement.level().allows_plaintext() {
        page.item("what does not meet this waits in our queue, and goes back to its sender in the end");
    }
}

fn level(page: &mut Page, requirement: &Requirement, route: &Route) {
    match requirement.level() {
        Level::May => page.item("over TLS where your servers offer it, in plaintext where not"),
        Level::Encrypt => page.item("over TLS; your servers offer STARTTLS, with any certificate"),
        Level::Verify | Level::Secure => {
            page.item(&format!(
                "over TLS; your servers offer STARTTLS, and show a certificate {}",
                names(requirement.names(), route)
            ));
            page.item("with its intermediate certificates, in date");
            anchors(page, requirement.anchors());
        }
        Level::Fingerprint => {
            page.item(
                "over TLS; your servers offer STARTTLS, and show a certificate of which it or its key has \
                 one of these SHA-256 digests:",
            );
            let pins: Vec<_> = requirement.pins().into_iter().flatten().collect();
            for pin in pins.iter().take(MANY) {
                page.item(&pin.to_string());
            }
            if pins.len() > MANY {
                page.item(&format!("and {} more", pins.len() - MANY));
            }
            page.item("before you change the certificate, tell us the digest of the next one");
        }
        Level::Dane => page
            .item("over TLS as your TLSA records say (DANE); where there are none, in plaintext if need be"),
        Level::DaneOnly => page.item(
            "over TLS as your TLSA records say (DANE, RFC 7672): zone and records of every MX host are \
             signed with DNSSEC",
        ),
    }
}

fn names(names: &Names, route: &Route) -> String {
    match names {
        Names::Any => "of any name".to_owned(),
        Names::MxHost => match route {
            Route::Mx => "with the name of the MX host that has it".to_owned(),
            Route::SmartHosts(_) => "with the name of the smart host that has it".to_owned(),
        },
        Names::Domain => "with the domain of the recipient, or a name below it".to_owned(),
        Names::Set(set) => format!("with {}", certified(set.iter())),
    }
}

fn anchors(page: &mut Page, anchors: &Anchors) {
    match anchors {
        Anchors::Any => {}
        Anchors::System => page.item("issued by an authority that mail servers commonly trust"),
        Anchors::File(file) => {
            let known = pem::certificates(&file.pem).unwrap_or_default();
            let subjects = known.iter().map(|certificate| shown(certificate.subject()));
            page.item(&format!("issued by {}, and by no other authority", among(subjects)));
        }
    }
}

/// What the servers that send mail to us have to show.
pub(super) fn inbound(page: &mut Page, connector: &Inbound) {
    let Inbound { identify, recipients, require, on_violation, .. } = connector;
    let domains = identify.domains.iter().map(|pattern| described(&pattern.names()));
    match (identify.domains.is_empty(), identify.addresses.is_empty()) {
        (false, true) => page.talk(&format!("Mail to us with senders in {}:", listed(domains))),
        (true, _) => page.talk(&format!("Mail to us from {}:", listed(identify.addresses.iter().map(range)))),
        (false, false) => page.talk(&format!(
            "Mail to us with senders in {}, or from {}:",
            listed(domains),
            listed(identify.addresses.iter().map(range))
        )),
    }
    mode(page, connector.mode);
    if let Some(recipients) = recipients {
        let recipients = listed(recipients.iter().map(|pattern| described(&pattern.names())));
        page.item(&format!("only to recipients in {recipients}"));
    }
    match require.tls {
        Some(TlsRequirement::AtLeast(version)) => page.item(&format!("over TLS, {version} or newer")),
        Some(TlsRequirement::Any) => page.item("over TLS"),
        None if require.certificate.is_some() => page.item("over TLS"),
        None => {}
    }
    if let Some(wanted) = &require.certificate {
        client_certificate(page, wanted);
    }
    if let Some(addresses) = &require.addresses {
        page.item(&format!("from {} only", listed(addresses.iter().map(range))));
    }
    page.item(match on_violation {
        Action::Reject => "what does not meet this is refused",
        Action::Defer => "what does not meet this is refused for the time being (4xx)",
        Action::Hold => "what does not meet this is put on hold here",
    });
}

fn client_certificate(page: &mut Page, wanted: &CertificateRequirement) {
    let names = wanted.names.as_ref().map(|set| format!(" with {}", certified(set.iter())));
    let names = names.unwrap_or_default();
    page.item(&format!("your servers show a client certificate{names}"));
    if let Some(issuers) = &wanted.issuers {
        page.item(&format!("issued by {}", among(issuers.iter().map(|issuer| shown(issuer)))));
    }
    for registered in wanted.registered.iter().take(MANY) {
        let certificate = &registered.certificate;
        let (subject, digest) = (shown(certificate.subject()), certificate.fingerprint());
        page.item(&format!("we know this one: {subject}, SHA-256 {digest}"));
    }
    if wanted.registered.len() > MANY {
        page.item(&format!("and {} more", wanted.registered.len() - MANY));
    }
    if !wanted.registered.is_empty() {
        page.item("before you change it, send us the next one");
    }
}

fn mode(page: &mut Page, mode: Mode) {
    match mode {
        Mode::Enforce => {}
        Mode::Report => page.item("not yet: our side is on trial, and demands nothing so far"),
        Mode::Off => page.item("not now: our side is switched off, and demands nothing"),
    }
}

/// A pattern for somebody who has not read connectord.toml(5).
pub(super) fn described(pattern: &Pattern<&str>) -> String {
    match pattern {
        Pattern::Exact(name) => (*name).to_owned(),
        Pattern::Tree(name) => format!("{name} and every name below it"),
        Pattern::Below(name) => format!("every name below {name}"),
        Pattern::Any => "any domain".to_owned(),
    }
}

/// What a certificate shows: one name of these is enough.
pub(super) fn certified<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> String {
    among(patterns.map(|pattern| match pattern.names() {
        Pattern::Exact(name) => format!("the name {name}"),
        Pattern::Tree(name) => format!("the name {name} or one below it (such as mx1.{name})"),
        Pattern::Below(name) => format!("a name below {name} (such as mx1.{name})"),
        Pattern::Any => "any name".to_owned(),
    }))
}

/// The first ones, and how many more.
pub(super) fn listed(items: impl Iterator<Item = impl ToString>) -> String {
    joined(items, ", ", "and")
}

fn among(items: impl Iterator<Item = impl ToString>) -> String {
    joined(items, " or ", "or")
}

fn joined(mut items: impl Iterator<Item = impl ToString>, between: &str, and: &str) -> String {
    let shown: Vec<String> = items.by_ref().take(MANY).map(|item| item.to_string()).collect();
    match items.count() {
        0 => shown.join(between),
        rest => format!("{}, {and} {rest} more", shown.join(between)),
    }
}

/// To whom our mail is known, for a server of any kind.
pub(super) fn receives(page: &mut Page, connector: &Outbound, ours: Ours<'_>) {
    if connector.requirement.level().allows_plaintext() {
        page.talk("Do not refuse plaintext from us: our connector allows it.");
        return;
    }
    page.talk(if connector.mode == Mode::Enforce {
        "You may refuse our mail when it comes without TLS. You know it by this:"
    } else {
        "When we tell you that our side is in force, and not before, you may refuse our mail that comes \
         without TLS. You know it by this:"
    });
    let senders =
        ours.senders(page).map(|domains| listed(domains.iter().map(|name| described(&name.names()))));
    page.item(&format!("its senders are in {}", senders.as_deref().unwrap_or("<our domains>")));
    if !ours.addresses().is_empty() {
        page.item(&format!("our servers connect from {}", listed(ours.addresses().iter().map(range))));
    }
}

/// What our servers show, for a server of any kind.
pub(super) fn sends(page: &mut Page, connector: Option<&Inbound>, ours: Ours<'_>) {
    page.talk("What your servers may demand of ours:");
    let domains = ours.recipients(page, connector);
    let domains = domains.map(|domains| listed(domains.iter().map(|name| described(&name.names()))));
    page.item(&format!("for mail to {}", domains.as_deref().unwrap_or("<our domains>")));
    page.item("TLS: our servers offer STARTTLS");
    let names = ours.certificates(page).map(|names| certified(names.iter()));
    page.item(&format!(
        "a certificate with {}",
        names.as_deref().unwrap_or("one of <the names that our certificates show>")
    ));
}
