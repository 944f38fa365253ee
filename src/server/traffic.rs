//! What is counted of each protocol: requests, connections, and how those ended.
//!
//! As in a [`Tally`](super::counters::Tally) one thread counts, that of the connections, and others look: so a count is an
//! ordinary addition.

use std::sync::atomic::{AtomicU64, Ordering};

use super::connection::End;
use super::pool::Leave;
use crate::config::ListenProtocol;

/// What is counted of all protocols.
#[derive(Debug, Default)]
pub(super) struct Traffic([Flow; ListenProtocol::ALL.len()]);

/// What is counted of one.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Requests of an MTA that were answered.
    pub(super) requests: Count,
    /// Connections that were accepted.
    pub(super) connections: Count,
    /// Times that the system gave none.
    pub(super) failures: Count,
    ends: [Count; ENDS.len()],
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

/// How connections end, in words.
const ENDS: [&str; 9] =
    ["closed", "cut", "malformed", "unfinished", "unread", "idle", "made_room", "stopping", "failed"];

impl Count {
    /// One more. For the thread of the connections alone.
    pub(super) fn add(&self) {
        self.0.store(self.get().wrapping_add(1), Ordering::Relaxed);
    }

    /// How many there were.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Traffic {
    /// What is counted of a protocol.
    pub(super) fn of(&self, protocol: ListenProtocol) -> &Flow {
        let Traffic([socketmap, policy, exim, control, metrics]) = self;
        match protocol {
            ListenProtocol::Socketmap => socketmap,
            ListenProtocol::Policy => policy,
            ListenProtocol::Exim => exim,
            ListenProtocol::Control => control,
            ListenProtocol::Metrics => metrics,
        }
    }
}

impl Flow {
    /// Counts the end of a connection.
    pub(super) fn count_end(&self, end: End) {
        let [closed, cut, malformed, unfinished, unread, idle, made_room, stopping, failed] = &self.ends;
        let count = match end {
            End::Closed => closed,
            End::Cut => cut,
            End::Malformed(_) => malformed,
            End::Unfinished => unfinished,
            End::Unread => unread,
            End::Idle | End::Left(Leave::Overdue) => idle,
            End::Left(Leave::Seat) => made_room,
            End::Left(Leave::Closing | Leave::Shutdown) => stopping,
            End::Broken(_) | End::NoRoom(_) | End::Panicked => failed,
        };
        count.add();
    }

    /// How many connections ended in each way.
    pub(super) fn ends(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ENDS.into_iter().zip(&self.ends).map(|(word, count)| (word, count.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Error;

    #[test]
    fn each_end_is_counted_by_its_word_and_for_its_protocol() {
        let kind = std::io::ErrorKind::ConnectionReset;
        let ends = [
            (End::Closed, "closed"),
            (End::Cut, "cut"),
            (End::Malformed(Error::CommandUnknown), "malformed"),
            (End::Unfinished, "unfinished"),
            (End::Unread, "unread"),
            (End::Idle, "idle"),
            (End::Left(Leave::Overdue), "idle"),
            (End::Left(Leave::Seat), "made_room"),
            (End::Left(Leave::Closing), "stopping"),
            (End::Left(Leave::Shutdown), "stopping"),
            (End::Broken(kind), "failed"),
            (End::NoRoom(kind), "failed"),
            (End::Panicked, "failed"),
        ];
        for protocol in ListenProtocol::ALL {
            for (end, expected) in ends {
                let traffic = Traffic::default();
                traffic.of(protocol).count_end(end);
                for other in ListenProtocol::ALL {
                    let counted: Vec<_> = traffic.of(other).ends().filter(|(_, count)| *count > 0).collect();
                    let expected = (other == protocol).then_some((expected, 1));
                    assert_eq!(counted, Vec::from_iter(expected), "{end:?}");
                }
            }
        }
    }
}
