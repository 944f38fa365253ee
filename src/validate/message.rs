//! The test mail: what a person at the partner's reads, and what a machine recognises.
//!
//! It says in its subject what it is, of which connector and whose; it is marked as generated
//! (RFC 3834 section 5), so that no vacation responder answers it. Everything in it was checked
//! when the configuration was read, or is made here; what is neither printable nor ASCII is
//! replaced nevertheless, for a header must not be continued by a name.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// A test mail, before its recipients are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The connector that is tested.
    pub connector: String,
    /// Where it is sent from: the name for EHLO.
    pub host: String,
    /// The address in its `From`.
    pub from: String,
    /// When it was written.
    pub date: Timestamp,
    /// What tells it from every other: letters and digits.
    pub id: String,
}

impl Message {
    /// What follows DATA, with its end: lines of at most 998 bytes (RFC 5321 section 4.5.3.1.6) if
    /// the fields are sane, each dot at the start of one doubled (section 4.5.2).
    pub fn bytes(&self, recipients: &[String]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in self.lines(recipients) {
            let line = printable(&line);
            if line.starts_with('.') {
                bytes.push(b'.');
            }
            bytes.extend(line.as_bytes());
            bytes.extend(b"\r\n");
        }
        bytes.extend(b".\r\n");
        bytes
    }

    fn lines(&self, recipients: &[String]) -> Vec<String> {
        let Message { connector, host, from, id, .. } = self;
        let mut lines = vec![
            format!("From: connectord <{from}>"),
            format!("To: {}", recipients.first().map(|first| format!("<{first}>")).unwrap_or_default()),
            format!("Subject: Automatic TLS test by connectord for connector {connector}"),
            format!("Date: {}", rfc_2822(self.date)),
            format!("Message-ID: <{id}@{host}>"),
            "Auto-Submitted: auto-generated".to_owned(),
            "X-Auto-Response-Suppress: All".to_owned(),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: text/plain; charset=us-ascii".to_owned(),
            String::new(),
        ];
        lines.extend(
            [
                "This is an automatic test message. Nobody has to answer it, and it can be deleted.",
                "",
                &format!("The mail host {host} has tested whether mail for you arrives over TLS,"),
                &format!("as agreed in the connector \"{connector}\". This message was sent over the very"),
                "session that was tested; that you read it shows that mail arrives.",
            ]
            .map(str::to_owned),
        );
        lines
    }
}

fn rfc_2822(time: Timestamp) -> String {
    rfc2822::DateTimePrinter::new().timestamp_to_string(&time).unwrap_or_default()
}

fn printable(line: &str) -> String {
    line.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(connector: &str) -> Message {
        Message {
            connector: connector.to_owned(),
            host: "mail.ours.example".to_owned(),
            from: "postmaster@ours.example".to_owned(),
            date: Timestamp::UNIX_EPOCH,
            id: "abc123".to_owned(),
        }
    }

    #[test]
    fn what_arrives() {
        let bytes = message("contoso-bank").bytes(&["bob@contoso.com".to_owned()]);
        let text = String::from_utf8(bytes).expect("ASCII");
        for line in [
            "Subject: Automatic TLS test by connectord for connector contoso-bank",
            "Date: Thu, 1 Jan 1970 00:00:00 -0000",
            "Message-ID: <abc123@mail.ours.example>",
            "Auto-Submitted: auto-generated",
            "To: <bob@contoso.com>",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line}\n{text}");
        }
        assert!(text.ends_with("\r\n.\r\n"));
        assert_eq!(text.matches("\r\n\r\n").count(), 2, "one end of the header, one empty line");
    }

    #[test]
    fn nothing_in_it_ends_it_or_becomes_a_header() {
        let text = message("a\r\nBcc: all@ours.example\r\n.\r\nQUIT").bytes(&[]);
        let text = String::from_utf8(text).expect("ASCII");
        assert!(!text.contains("\r\nBcc:"), "{text}");
        assert_eq!(text.matches("\r\n.\r\n").count(), 1, "{text}");
        let message = Message { host: ".".repeat(5), ..message("a") };
        let dotted = Message { from: "\u{fc}".to_owned(), ..message };
        let bytes = dotted.bytes(&[]);
        assert!(bytes.is_ascii());
        assert!(bytes.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b".")).count() == 1);
    }
}
