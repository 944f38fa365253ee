//! What Exim says of each probe, in its main log (chapter 53 of its specification).

use std::collections::VecDeque;

use crate::prove::log::{Fate, Heard, Reader};

/// Lines that are kept until one says what became of their message.
const ASIDES: usize = 64;

/// Words before the identifier of a message: what syslog(3) writes, the time, its zone, a process.
const BEFORE: usize = 10;

/// Its lines. What a host was like is told before what that means for a recipient.
#[derive(Default)]
pub struct Lines {
    /// Identifiers, with what was said of the message.
    asides: VecDeque<(String, String)>,
}

impl Reader for Lines {
    /// `2026-11-24 17:20:01 1abcde-000001-2X == u@x <v@x> R=r T=t defer (-38): ..`
    fn read(&mut self, line: &str) -> Option<Heard> {
        let (id, text) = about_message(line.trim_end())?;
        let (mark, rest) = text.split_once(' ').unwrap_or((text, ""));
        let new: fn(&str) -> Fate = match mark {
            "==" => Fate::waits,
            "**" => Fate::returned,
            "=>" | "->" | ">>" => Fate::sent,
            // How it came, and that nothing is left of it.
            "<=" | "Completed" => return None,
            _ => {
                if self.asides.len() == ASIDES {
                    self.asides.pop_front();
                }
                self.asides.push_back((id.to_owned(), text.to_owned()));
                return None;
            }
        };
        let mut reason = String::new();
        for (_, aside) in self.asides.iter().filter(|(other, _)| other == id) {
            reason.push_str(aside);
            reason.push_str("; ");
        }
        self.asides.retain(|(other, _)| other != id);
        let (recipients, why) = recipients(rest);
        Some(Heard { recipients, fate: new(&(reason + why)) })
    }
}

/// The identifier of a message, and what is said of it.
fn about_message(line: &str) -> Option<(&str, &str)> {
    let mut rest = line;
    for _ in 0..BEFORE {
        let (word, behind) = rest.split_once(' ')?;
        if is_id(word) {
            return Some((word, behind));
        }
        rest = behind;
    }
    None
}

/// `1abcde-000001-2X`; since 4.97 `1abcde-00000001abc-2Xyz` (spool_in.c; macros.h:MESSAGE_ID_LENGTH).
fn is_id(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    let is_base62 = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_base62 && matches!(lengths.as_slice(), [6, 6, 2] | [6, 11, 4])
}

/// The address that was tried and those that it stands for, and what follows them.
fn recipients(text: &str) -> (Vec<String>, &str) {
    let (mut found, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_item = word.split_once('=').is_some_and(|(name, _)| !name.contains(['@', '<', '(']));
        if is_item || word == "defer" {
            break;
        }
        let address = word.trim_end_matches(':').trim_matches(['<', '>', '(', ')']);
        if address.contains('@') {
            found.push(address.to_owned());
        }
        rest = behind;
        if word.ends_with(':') && !word.starts_with(':') {
            break;
        }
    }
    (found, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fate_of_a_probe_is_read() {
        let read =
            |line: &str| Lines::default().read(line).map(|Heard { recipients, fate }| (recipients, fate));
        let one = |address: &str, fate| Some((vec![address.to_owned()], fate));
        for (line, expected) in [
            (
                "2026-11-26 08:00:00 1vO2ab-000001-2X == u@x.example R=connectord_mx T=connectord_encrypt defer (-38): no TLS",
                one("u@x.example", Fate::waits("R=connectord_mx T=connectord_encrypt defer (-38): no TLS")),
            ),
            (
                "2026-11-26 08:00:00.123 +0100 [77] 1vO2ab-00000001abc-2Xyz => u@x.example F=<v@y.example> R=r T=t H=mx [198.18.1.1]",
                one("u@x.example", Fate::sent("F=<v@y.example> R=r T=t H=mx [198.18.1.1]")),
            ),
            (
                "<22>Nov 26 08:00:00 exim[7]: 2026-11-26 08:00:00 1vO2ab-000001-2X => :blackhole: <u@x.example> R=r",
                one("u@x.example", Fate::sent("R=r")),
            ),
            (
                "2026-11-26 08:00:00 1vO2ab-000001-2X ** u@x.example: Unrouteable address",
                one("u@x.example", Fate::returned("Unrouteable address")),
            ),
            ("2026-11-26 08:00:00 1vO2ab-000001-2X <= v@y.example U=root P=local S=400", None),
            ("2026-11-26 08:00:00 1vO2ab-000001-2X Completed", None),
            ("2026-11-26 08:00:00 Start queue run: pid=7 -qff", None),
            ("", None),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
        let rewritten = "2026-11-26 08:00:00 1vO2ab-000001-2X -> w@z.example (a@b) <u=x@x.example> R=r T=t";
        let all = ["w@z.example", "a@b", "u=x@x.example"].map(str::to_owned).to_vec();
        assert_eq!(read(rewritten), Some((all, Fate::sent("R=r T=t"))));
    }

    #[test]
    fn what_a_host_was_like_is_told_with_its_message() {
        let mut lines = Lines::default();
        let mut read = |line: &str| lines.read(line).map(|heard| heard.fate.reason);
        assert_eq!(read("2026-11-26 08:00:00 1vO2ab-000001-2X [198.18.1.1] SSL verify denied"), None);
        assert_eq!(read("2026-11-26 08:00:00 1vO2ac-000001-2X [198.18.1.2] other"), None);
        let deferred = "2026-11-26 08:00:00 1vO2ab-000001-2X == u@x.example R=r defer (-37): TLS";
        assert_eq!(read(deferred).as_deref(), Some("[198.18.1.1] SSL verify denied; R=r defer (-37): TLS"));
        assert_eq!(read(deferred).as_deref(), Some("R=r defer (-37): TLS"));
    }
}
