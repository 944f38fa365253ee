//! What Postfix says of each probe.

use crate::prove::log::{Fate, Heard, Reader};

/// Its lines, of which each says all.
pub struct Lines;

impl Reader for Lines {
    /// `to=<a>, orig_to=<b>, relay=..., status=deferred (reason)` (log_adhoc.c:log_adhoc).
    fn read(&mut self, line: &str) -> Option<Heard> {
        let (head, tail) = line.split_once(", status=")?;
        let (status, reason) = tail.split_once(" (").unwrap_or((tail, ""));
        let recipients = [" to=<", ", orig_to=<"].into_iter().filter_map(|word| {
            let (_, rest) = head.split_once(word)?;
            rest.split_once('>').map(|(address, _)| address.to_owned())
        });
        let reason = reason.trim_end().trim_end_matches(')');
        let fate = match status.trim_end() {
            "sent" => Fate::sent(reason),
            "bounced" | "expired" => Fate::returned(reason),
            "deferred" => Fate::waits(reason),
            _ => return None,
        };
        Some(Heard { recipients: recipients.collect(), fate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fate_of_a_probe_is_read() {
        let read = |line| Lines.read(line).map(|Heard { recipients, fate }| (recipients, fate));
        let deferred = "<22>Nov 26 08:00:00 postfix/smtp[7]: 4F: to=<A@x.example>, relay=mx.x.example[198.18.1.1]:25, delay=1, dsn=4.7.5, status=deferred (Server certificate not verified (again))\n";
        let expected =
            (vec!["A@x.example".to_owned()], Fate::waits("Server certificate not verified (again"));
        assert_eq!(read(deferred), Some(expected));
        let sent = "<22>Nov 26 08:00:00 postfix/local[7]: 4F: to=<root@y.example>, orig_to=<b@x.example>, relay=discard, status=sent (y.example)";
        let both = ["root@y.example", "b@x.example"].map(str::to_owned).to_vec();
        assert_eq!(read(sent), Some((both, Fate::sent("y.example"))));
        assert_eq!(read("<22>Nov 26 08:00:00 postfix/qmgr[7]: 4F: removed"), None);
    }
}
