//! What is said of a session that went wrong, to the administrator on the other side.
//!
//! Codes are a closed list; texts of the peer appear in the detail alone, escaped and cut.

use super::observation::{Stage, TestMail, Trouble};
use crate::protocol::escape::printable;

/// Characters of a peer's text that are shown; the rest is cut.
const SHOWN: usize = 300;

/// A text of the peer on one line.
pub(super) fn escaped(text: &str) -> String {
    printable(&text.lines().collect::<Vec<_>>().join(" / "), SHOWN)
}

/// The first ones, the rest counted.
pub(super) fn few(names: &[String], most: usize) -> String {
    let (shown, rest) = names.split_at(names.len().min(most));
    let shown = shown.join(", ");
    if rest.is_empty() { shown } else { format!("{shown} and {} more", rest.len()) }
}

/// Code, reason, detail.
pub(super) fn trouble_words(stage: Stage, trouble: &Trouble) -> (&'static str, String, String) {
    let what = match stage {
        Stage::Connect => "connect",
        Stage::Greeting => "greet",
        Stage::Ehlo => "answer EHLO",
        Stage::StartTls => "answer STARTTLS",
        Stage::Handshake => "complete the TLS handshake",
        Stage::EhloAgain => "answer EHLO over TLS",
        Stage::Mail => "answer MAIL FROM",
        Stage::Recipient => "answer RCPT TO",
        Stage::Data => "take the message",
    };
    match trouble {
        Trouble::System(error) if stage == Stage::Connect => {
            ("unreachable", "no connection to the server can be made".to_owned(), escaped(error))
        }
        Trouble::NoRoute => (
            "no-route",
            "this machine has no route to the address, and neither has an MTA on it".to_owned(),
            String::new(),
        ),
        Trouble::Timeout if stage == Stage::Connect => {
            ("unreachable", "the server does not answer at this address".to_owned(), String::new())
        }
        Trouble::System(error) => {
            ("closed", format!("the connection broke: the server did not {what}"), escaped(error))
        }
        Trouble::Timeout => ("timeout", format!("the server did not {what} in time"), String::new()),
        Trouble::Closed => {
            ("closed", format!("the server closed the connection and did not {what}"), String::new())
        }
        Trouble::NotOffered => (
            "no-starttls",
            "the server does not offer STARTTLS; it has to be switched on".to_owned(),
            String::new(),
        ),
        Trouble::Reply(reply) if stage == Stage::StartTls => {
            ("starttls-refused", "the server offers STARTTLS, and refuses it".to_owned(), escaped(reply))
        }
        Trouble::Reply(reply) => {
            ("refused", format!("the server did not {what}, and says no"), escaped(reply))
        }
        Trouble::Protocol(words) => {
            ("not-smtp", "what the server says is not SMTP".to_owned(), escaped(words))
        }
        Trouble::Tls(words) => ("handshake-failed", "the TLS handshake failed".to_owned(), escaped(words)),
    }
}

/// What became of the test mail, in one line.
pub(super) fn mail_words(mail: &TestMail, trouble: Option<&(Stage, Trouble)>) -> String {
    let accepted: Vec<String> = mail.accepted.iter().map(|one| escaped(one)).collect();
    let refused: Vec<String> =
        mail.refused.iter().map(|(one, reply)| format!("{} {}", escaped(one), escaped(reply))).collect();
    let mut parts = Vec::new();
    match (&mail.taken, trouble) {
        (_, Some((stage, trouble))) => {
            let (_, reason, detail) = trouble_words(*stage, trouble);
            parts.push(format!("not sent: {reason} {detail}").trim_end().to_owned());
        }
        (Some(reply), None) => parts.push(format!("taken for {}: {}", few(&accepted, 3), escaped(reply))),
        (None, None) if accepted.is_empty() => {}
        (None, None) => parts.push(format!("would be taken for {}", few(&accepted, 3))),
    }
    if !refused.is_empty() {
        parts.push(format!("refused: {}", few(&refused, 3)));
    }
    parts.join("; ")
}
