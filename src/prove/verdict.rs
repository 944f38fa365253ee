//! What the tries of a connector mean. Pure.

use super::proof::{ConnectorProof, End, Try, Verdict};
use super::server::Server;
use super::subject::Subject;
use crate::model::Level;
use crate::model::judgement::Objection;

/// The verdict on a connector, with its reasons.
pub fn verdict(subject: &Subject, tries: Vec<Try>) -> ConnectorProof {
    let mut found = Verdict::Holds;
    let mut reasons: Vec<String> = Vec::new();
    // One reason for all mails that met the same: header and sender are named only where they make the difference.
    let mut told: Vec<(&str, bool, String)> = Vec::new();
    for tried in &tries {
        let Some((worse, what)) = meaning(subject, tried) else { continue };
        found = found.max(worse);
        // What was not taken in never came to a server, and one reason is for all of them: its words may have in them what
        // is of one message only.
        let (server, daemon) =
            if tried.end == End::Refused { ("", true) } else { (tried.server, tried.daemon) };
        let alike = (server, daemon, what);
        if !told.iter().any(|known| *known == alike || (server, known.0) == ("", "")) {
            let at = tried.host.as_ref().map(|host| format!(" (at {host})")).unwrap_or_default();
            reasons.push(match tried.end {
                End::Refused => alike.2.clone(),
                End::Arrived | End::Waits | End::Returned | End::Elsewhere | End::Unknown => {
                    format!("{}: {}{at}", circumstances(tried), alike.2)
                }
            });
            told.push(alike);
        }
    }
    if let Some(host) = &subject.lent {
        found = found.max(Verdict::NotShown);
        reasons.push(format!(
            "{host} has TLSA records here for the sake of another connector, and what obeys them would hide what is amiss: \
             try this connector alone, by its name"
        ));
    }
    if tries.is_empty() {
        found = Verdict::NotShown;
        reasons.push("no domain of its own: others are narrower there, or all are excepted".to_owned());
    }
    ConnectorProof {
        connector: subject.name.clone(),
        mode: subject.mode.word(),
        demands: subject.requirement.to_string(),
        verdict: found,
        domains_tried: subject.domains.len(),
        domains_known: subject.known,
        reasons,
        tries,
    }
}

/// What is wrong with a try, if anything.
fn meaning(subject: &Subject, tried: &Try) -> Option<(Verdict, String)> {
    let is_right = tried.server == Server::Right.id() && tried.daemon;
    if let Some(weaker) = &tried.weaker {
        return Some((Verdict::Fails, format!("mail arrived {weaker}")));
    }
    let not_shown = |what: String| Some((Verdict::NotShown, what));
    if let Some(doubt) = tried.doubts.first() {
        return not_shown(doubt.clone());
    }
    match tried.end {
        End::Arrived => None,
        End::Unknown => not_shown("nothing was heard of the mail".to_owned()),
        End::Refused => not_shown(tried.reason.clone()),
        End::Elsewhere => not_shown(format!("the mail went elsewhere: {}", tried.reason)),
        // Nobody but the partner has the key that is pinned: it can be seen that the certificate was judged.
        End::Waits if is_right && is_pinned(subject) && is_judged(&tried.reason) => None,
        End::Waits | End::Returned if is_right => {
            not_shown(format!("the mail did not arrive: {}", tried.reason))
        }
        // Who asks for records that are not there does not come so far as the server.
        End::Waits
            if asks_for_tlsa(subject)
                && tried.server == Server::NoTlsa.id()
                && tried.reason.contains("TLSA") =>
        {
            None
        }
        // Without the daemon it does not come so far; with it, mail that waits for something else shows nothing.
        End::Waits | End::Returned if tried.daemon && !tried.asked => {
            not_shown(format!("the mail did not come to the server: {}", tried.reason))
        }
        End::Waits | End::Returned => None,
    }
}

/// Whether mail may wait for TLSA records.
fn asks_for_tlsa(subject: &Subject) -> bool {
    matches!(subject.requirement.level(), Level::Dane | Level::DaneOnly)
}

/// Whether only the partner itself can be right.
fn is_pinned(subject: &Subject) -> bool {
    subject.requirement.pins().is_some()
}

/// Whether an MTA says that a certificate was looked at, and is another: Postfix (smtp_proto.c:smtp_start_tls); and Exim,
/// which was told so by the daemon ([`Objection::Fingerprint`]).
fn is_judged(reason: &str) -> bool {
    reason.contains("certificate not verified") || reason.contains(&Objection::Fingerprint.to_string())
}

/// A try in few words.
fn circumstances(tried: &Try) -> String {
    let header = if tried.header { ", with the header `TLS-Required: no`" } else { "" };
    let daemon = if tried.daemon { "" } else { ", the daemon stopped" };
    let sender = if tried.sender.is_empty() { ", from the null sender" } else { "" };
    format!("server {}{header}{sender}{daemon}", tried.server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{agreements, connectors};

    fn subject() -> Subject {
        subject_of("encrypt of a.example")
    }

    fn subject_of(text: &str) -> Subject {
        let agreements = agreements(connectors(&[text]), Vec::new());
        let first = agreements.outbound.first().expect("there is one");
        Subject::of(first, &agreements, &[])
    }

    fn tried(server: Server, end: End) -> Try {
        Try {
            server: server.id(),
            daemon: true,
            header: false,
            sender: "us@ours.example".to_owned(),
            recipient: "probe@a.example".to_owned(),
            end,
            host: (end == End::Arrived).then(|| "mx.a.example".to_owned()),
            tls: None,
            reason: "why".to_owned(),
            asked: true,
            weaker: None,
            doubts: Vec::new(),
        }
    }

    fn of(tries: &[Try]) -> (Verdict, Vec<String>) {
        let ConnectorProof { verdict, reasons, .. } = verdict(&subject(), tries.to_vec());
        (verdict, reasons)
    }

    #[test]
    fn it_holds_when_right_mail_came_and_other_mail_did_not() {
        let good = [tried(Server::Right, End::Arrived), tried(Server::NoStarttls, End::Waits)];
        assert_eq!(of(&good), (Verdict::Holds, vec![]));
        assert_eq!(of(&[]).0, Verdict::NotShown);
    }

    #[test]
    fn what_shows_nothing_is_no_success() {
        for (tried, reason) in [
            (tried(Server::Right, End::Waits), "server right: the mail did not arrive: why"),
            (tried(Server::Right, End::Returned), "server right: the mail did not arrive: why"),
            (tried(Server::Expired, End::Unknown), "server expired: nothing was heard of the mail"),
            (tried(Server::Expired, End::Elsewhere), "server expired: the mail went elsewhere: why"),
            (
                Try { asked: false, ..tried(Server::Expired, End::Waits) },
                "server expired: the mail did not come to the server: why",
            ),
        ] {
            assert_eq!(of(&[tried]), (Verdict::NotShown, vec![reason.to_owned()]));
        }
        let mut refused = Server::ALL.map(|server| Try { asked: false, ..tried(server, End::Refused) });
        refused[1].reason = "why, message 2".to_owned();
        assert_eq!(of(&refused), (Verdict::NotShown, vec!["why".to_owned()]));
        let doubts = vec!["a copy went to archive.example".to_owned(), "more".to_owned()];
        for end in [End::Arrived, End::Waits] {
            let doubted = Try { doubts: doubts.clone(), ..tried(Server::Expired, end) };
            let reason = "server expired: a copy went to archive.example";
            let ConnectorProof { verdict, reasons, .. } =
                verdict(&subject(), vec![Try { host: None, ..doubted }]);
            assert_eq!((verdict, reasons), (Verdict::NotShown, vec![reason.to_owned()]));
        }
        let stopped = Try { asked: false, daemon: false, ..tried(Server::NoStarttls, End::Waits) };
        assert_eq!(of(&[stopped]).0, Verdict::Holds);
    }

    #[test]
    fn records_that_are_not_there_are_missed_by_who_asks_for_them() {
        let missed = Try { asked: false, reason: "no TLSA".to_owned(), ..tried(Server::NoTlsa, End::Waits) };
        let found = |text| verdict(&subject_of(text), vec![missed.clone()]).verdict;
        assert_eq!(found("dane-only of a.example"), Verdict::Holds);
        assert_eq!(found("encrypt of a.example"), Verdict::NotShown);
    }

    #[test]
    fn a_host_with_records_of_another_connector_shows_nothing() {
        let lent = Subject { lent: Some("mx.a.example".to_owned()), ..subject() };
        let ConnectorProof { verdict, reasons, .. } =
            verdict(&lent, vec![tried(Server::Right, End::Arrived)]);
        assert_eq!((verdict, reasons.len()), (Verdict::NotShown, 1));
    }

    #[test]
    fn mail_that_came_weaker_is_named_once() {
        let weak = |header| Try {
            header,
            weaker: Some("in plaintext".to_owned()),
            ..tried(Server::NoStarttls, End::Arrived)
        };
        let plain = "server no-starttls: mail arrived in plaintext (at mx.a.example)".to_owned();
        assert_eq!(of(&[weak(false), weak(true)]), (Verdict::Fails, vec![plain]));
        let header = "server no-starttls, with the header `TLS-Required: no`: mail arrived in plaintext (at mx.a.example)";
        assert_eq!(of(&[weak(true)]), (Verdict::Fails, vec![header.to_owned()]));
    }
}
