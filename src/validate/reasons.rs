//! What is said of a session that went wrong, to the administrator on the other side.
//!
//! Codes are a closed list; texts of the peer appear in the detail alone, escaped and cut.

use std::time::Duration;

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
        Trouble::Timeout(waited) if stage == Stage::Connect => {
            let reason = match waited.and_then(seconds) {
                Some(seconds) => format!("the server does not answer at this address within {seconds}"),
                None => "the server does not answer at this address".to_owned(),
            };
            ("unreachable", reason, String::new())
        }
        Trouble::System(error) => {
            ("closed", format!("the connection broke: the server did not {what}"), escaped(error))
        }
        Trouble::Timeout(waited) => {
            let reason = match waited.and_then(seconds) {
                Some(seconds) => format!("the server did not {what} within {seconds}"),
                None => format!("the server did not {what} in time"),
            };
            ("timeout", reason, String::new())
        }
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
        // RFC 5321 section 3.1 has 554, RFC 7504 521; 421 and other 4xx are of a server that is
        // busy, or about to stop.
        Trouble::Reply(reply) if stage == Stage::Greeting && is_for_now(reply) => {
            ("refused", "the server refuses connections at the moment".to_owned(), escaped(reply))
        }
        Trouble::Reply(reply) if stage == Stage::Greeting && reply.starts_with('5') => {
            ("refused", "the server refuses this client".to_owned(), escaped(reply))
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

/// Whether a reply says no for now only (RFC 5321 section 4.2.1: 4yz).
pub(super) fn is_for_now(reply: &str) -> bool {
    reply.starts_with('4')
}

/// Whole seconds in words; none of less than half a one, when there was no time left to wait.
fn seconds(waited: Duration) -> Option<String> {
    match waited.saturating_add(Duration::from_millis(500)).as_secs() {
        0 => None,
        1 => Some("1 second".to_owned()),
        seconds => Some(format!("{seconds} seconds")),
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
            // RFC 5321 section 4.2.5: with the final dot the server may have taken it, and only a
            // reply says that it did not.
            let refused = matches!(trouble, Trouble::Reply(_));
            let became = if *stage == Stage::Data && !refused { "may have arrived" } else { "not sent" };
            parts.push(format!("{became}: {reason} {detail}").trim_end().to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_trouble() {
        let reply = |text: &str| Trouble::Reply(text.to_owned());
        let waited = |millis| Trouble::Timeout(Some(Duration::from_millis(millis)));
        let table = [
            (
                Stage::Greeting,
                reply("421 4.3.2 shutting down"),
                "refused",
                "the server refuses connections at the moment",
            ),
            (Stage::Greeting, reply("450 busy"), "refused", "the server refuses connections at the moment"),
            (Stage::Greeting, reply("554 5.7.1 go away"), "refused", "the server refuses this client"),
            (Stage::Greeting, reply("521 no mail here"), "refused", "the server refuses this client"),
            (Stage::Greeting, reply("354 go"), "refused", "the server did not greet, and says no"),
            (Stage::Ehlo, reply("421 no"), "refused", "the server did not answer EHLO, and says no"),
            (
                Stage::StartTls,
                reply("454 no"),
                "starttls-refused",
                "the server offers STARTTLS, and refuses it",
            ),
            (Stage::Greeting, waited(15_000), "timeout", "the server did not greet within 15 seconds"),
            (Stage::Ehlo, waited(4_999), "timeout", "the server did not answer EHLO within 5 seconds"),
            (
                Stage::Handshake,
                waited(500),
                "timeout",
                "the server did not complete the TLS handshake within 1 second",
            ),
            (Stage::Greeting, waited(499), "timeout", "the server did not greet in time"),
            (Stage::Greeting, Trouble::Timeout(None), "timeout", "the server did not greet in time"),
            (
                Stage::Connect,
                waited(15_000),
                "unreachable",
                "the server does not answer at this address within 15 seconds",
            ),
            (
                Stage::Connect,
                Trouble::Timeout(None),
                "unreachable",
                "the server does not answer at this address",
            ),
        ];
        for (stage, trouble, code, reason) in table {
            let (found_code, found, _) = trouble_words(stage, &trouble);
            assert_eq!((found_code, found.as_str()), (code, reason), "{stage:?} {trouble:?}");
        }
    }

    #[test]
    fn what_became_of_the_mail() {
        let mail = |taken: Option<&str>| TestMail {
            accepted: vec!["a@b.example".to_owned()],
            refused: Vec::new(),
            taken: taken.map(str::to_owned),
        };
        let system = || Trouble::System("broken pipe".to_owned());
        let no = || Trouble::Reply("554 spam".to_owned());
        let table = [
            (None, None, "would be taken for a@b.example"),
            (Some("250 ok"), None, "taken for a@b.example: 250 ok"),
            (
                None,
                Some((Stage::Data, Trouble::Timeout(None))),
                "may have arrived: the server did not take the message in time",
            ),
            (
                None,
                Some((Stage::Data, Trouble::Closed)),
                "may have arrived: the server closed the connection and did not take the message",
            ),
            (
                None,
                Some((Stage::Data, system())),
                "may have arrived: the connection broke: the server did not take the message broken pipe",
            ),
            (
                None,
                Some((Stage::Data, Trouble::Protocol("x".to_owned()))),
                "may have arrived: what the server says is not SMTP x",
            ),
            (
                Some("554 spam"),
                Some((Stage::Data, no())),
                "not sent: the server did not take the message, and says no 554 spam",
            ),
            (
                None,
                Some((Stage::Recipient, Trouble::Timeout(None))),
                "not sent: the server did not answer RCPT TO in time",
            ),
        ];
        for (taken, trouble, words) in table {
            assert_eq!(mail_words(&mail(taken), trouble.as_ref()), words);
        }
    }
}
