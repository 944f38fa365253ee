//! A mail transaction as a client sees it: which commands are refused, and in what words.

use crate::client::Client;

/// How the message itself is sent.
#[derive(Clone, Copy)]
pub enum Transfer {
    /// DATA.
    Data,
    /// BDAT, as clients do where CHUNKING is offered (RFC 3030).
    Chunk,
}

/// What a client does after the greetings.
#[derive(Clone, Copy)]
pub struct Transaction<'a> {
    pub sender: &'a str,
    pub recipients: &'a [&'a str],
    pub transfer: Transfer,
    /// Goes on after a refusal, as clients do that send all commands at once.
    pub stubborn: bool,
}

impl<'a> Transaction<'a> {
    /// An ordinary one.
    pub fn new(sender: &'a str, recipients: &'a [&'a str]) -> Transaction<'a> {
        Transaction { sender, recipients, transfer: Transfer::Data, stubborn: false }
    }

    /// Does it. The refusals, each behind its command, and `taken` when the message was; the
    /// client may begin another transaction then.
    pub fn run(&self, client: &mut Client) -> String {
        let mut told = Vec::new();
        let mut ask = |client: &mut Client, command: &str, rest: &str| {
            let reply = client.ask(&format!("{command}{rest}"));
            let accepted = reply.starts_with("250");
            if !accepted {
                told.push(format!("{command} {reply}"));
            }
            accepted
        };
        let extension = if self.sender.is_ascii() { "" } else { " SMTPUTF8" };
        let mut begun = ask(client, "MAIL", &format!(" FROM:<{}>{extension}", self.sender));
        let mut wanted = false;
        if begun || self.stubborn {
            for recipient in self.recipients {
                wanted |= ask(client, "RCPT", &format!(" TO:<{recipient}>"));
            }
        }
        if wanted || self.stubborn {
            let (command, reply) = match self.transfer {
                Transfer::Data => ("DATA", client.data()),
                Transfer::Chunk => ("BDAT", client.chunk()),
            };
            let taken = reply.starts_with("250");
            told.push(if taken { "taken".to_owned() } else { format!("{command} {reply}") });
            begun &= !taken;
        }
        if begun {
            client.expect("250", "RSET");
        }
        told.join(", ")
    }
}
