//! Messages with many recipients in Exim's queue, and the evidence of what became of them.

use std::io::Write;
use std::process::Stdio;

use crate::exim::Exim;
use crate::lab::Lab;

/// The answer of the daemon that a line of its log tells of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// `out` or `cert`
    pub verb: String,
    /// The domain that was asked about.
    pub domain: String,
    pub verdict: String,
}

impl Lab<Exim> {
    /// Puts one message into the queue; nothing is delivered yet.
    pub fn enqueue(&self, sender: &str, recipients: &[&str]) {
        let mut exim = self
            .machine
            .command("exim4")
            .args(["-odq", "-f", sender, "--"])
            .args(recipients)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        exim.stdin.take().unwrap().write_all(b"Subject: interop\n\nhello\n").unwrap();
        assert!(exim.wait().unwrap().success());
    }

    /// A message to each line's recipients, tried at once.
    pub fn deliver(&self, sender: &str, messages: &[&[&str]]) {
        for recipients in messages {
            self.enqueue(sender, recipients);
        }
        self.mta.flush(&self.machine);
    }

    /// The groups of recipients that came in one transaction, sorted.
    pub fn transactions(&self) -> Vec<Vec<String>> {
        let mut all: Vec<Vec<String>> = self.partner.mail().into_iter().map(|mail| mail.recipients).collect();
        all.iter_mut().for_each(|recipients| recipients.sort());
        all.sort();
        all
    }

    /// What the daemon was asked about outbound mail, in the order of its log.
    pub fn questions(&self) -> Vec<Question> {
        let word = |line: &str, key: &str| {
            let value = line.split_once(&format!(" {key}=")).map(|(_, rest)| rest).unwrap_or_default();
            match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
                None => value.split(' ').next().unwrap_or_default().to_owned(),
            }
        };
        let log = self.site.log();
        let lines = log.lines().filter(|line| line.contains(" decision direction=outbound "));
        lines
            .map(|line| Question {
                verb: word(line, "map"),
                domain: word(line, "key"),
                verdict: word(line, "verdict"),
            })
            .collect()
    }
}
