//! Messages with many recipients in Exim's queue, and the evidence of what became of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use crate::condition::wait_for;
use crate::exim::Exim;
use crate::lab::{Lab, fates};

impl Lab<Exim> {
    /// Puts one message into the queue; nothing is delivered yet.
    pub fn enqueue(&self, sender: &str, recipients: &[&str]) {
        self.inject("-odq", sender, recipients);
    }

    /// Sends a message; when this returns, it was tried, and nothing else.
    pub fn send_now(&self, recipient: &str) {
        self.inject("-odi", "sender@ours.example", &[recipient]);
    }

    /// The same; it must meet this fate.
    pub fn send_now_expecting(&self, recipient: &str, fate: &str) {
        self.send_now(recipient);
        self.settled(&fates([(recipient, fate)]));
    }

    fn inject(&self, how: &str, sender: &str, recipients: &[&str]) {
        let mut exim = self
            .machine
            .command("exim4")
            .args([how, "-f", sender, "--"])
            .args(recipients)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        exim.stdin.take().unwrap().write_all(b"Subject: interop\n\nhello\n").unwrap();
        assert!(exim.wait().unwrap().success());
    }

    /// The groups of recipients that came in one transaction, sorted.
    pub fn transactions(&self) -> Vec<Vec<String>> {
        let mut all: Vec<Vec<String>> = self.partner.mail().into_iter().map(|mail| mail.recipients).collect();
        all.iter_mut().for_each(|recipients| recipients.sort());
        all.sort();
        all
    }

    /// The hosts and addresses that have failed, with their times.
    pub fn retry_records(&self) -> String {
        self.machine.run("exim_dumpdb", &["/var/spool/exim4", "retry"])
    }

    /// Makes a record what it is when its host has failed for longer than Exim tries.
    pub fn expire_record(&self, key: &str) {
        let mut exim = self
            .machine
            .command("exim_fixdb")
            .args(["/var/spool/exim4", "retry"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Field 4 is the time of the next try, in digits from years to minutes.
        write!(exim.stdin.take().unwrap(), "{key}\n4 3712312359\n5 yes\n").unwrap();
        assert!(exim.wait().unwrap().success());
    }

    /// Waits until the daemon has logged these questions and no others: its log is written behind its
    /// answers.
    pub fn asked(&self, expected: &BTreeMap<String, usize>) {
        wait_for("the questions in the log", || {
            let seen = self.questions();
            if seen == *expected { Ok(()) } else { Err(format!("{seen:?}, expected {expected:?}")) }
        });
    }

    /// What the daemon was asked about outbound mail of connectors, and how often: `VERB DOMAIN VERDICT`.
    fn questions(&self) -> BTreeMap<String, usize> {
        let word = |line: &str, key: &str| {
            let value = line.split_once(&format!(" {key}=")).map(|(_, rest)| rest).unwrap_or_default();
            match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
                None => value.split(' ').next().unwrap_or_default().to_owned(),
            }
        };
        let mut questions = BTreeMap::new();
        for line in self.site.log().lines().filter(|line| line.contains(" decision direction=outbound ")) {
            let question = ["map", "key", "verdict"].map(|key| word(line, key)).join(" ");
            *questions.entry(question).or_default() += 1;
        }
        questions
    }
}

/// Questions and how often each is expected.
pub fn counts<const N: usize>(table: [(&str, usize); N]) -> BTreeMap<String, usize> {
    table.map(|(question, times)| (question.to_owned(), times)).into()
}
