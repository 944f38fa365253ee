//! What is said of outbound connectors all the time: their names and their values of the map `tls`.
//!
//! Nearly every answer and its line in the log are made of them. Those of a connector are one line of
//! a processor's cache, apart from the rest of it: an answer among ten thousand connectors waits for
//! memory once for them.

use super::LINE;

/// What fits beside the two lengths.
const ROOM: usize = LINE - 2;

/// In place of the first length: the texts are too long for the slot.
const ELSEWHERE: u8 = u8::MAX;

/// Names and policies by the number of the connector.
#[derive(Default)]
pub struct Spoken {
    slots: Vec<Slot>,
    /// By number as well, and empty for those that fit their slots. As long as the last that does not.
    long: Vec<[Box<str>; 2]>,
}

/// The texts of a connector, one after another.
#[repr(align(64))]
struct Slot {
    lengths: [u8; 2],
    text: [u8; ROOM],
}

impl Spoken {
    /// Adds the next connector.
    pub(super) fn push(&mut self, name: &str, policy: &str) {
        let mut slot = Slot { lengths: [ELSEWHERE, 0], text: [0; ROOM] };
        let room = slot.text.split_at_mut_checked(name.len()).and_then(|(start, rest)| {
            let lengths = [u8::try_from(name.len()).ok()?, u8::try_from(policy.len()).ok()?];
            Some((lengths, start, rest.get_mut(..policy.len())?))
        });
        if let Some((lengths, start, rest)) = room {
            start.copy_from_slice(name.as_bytes());
            rest.copy_from_slice(policy.as_bytes());
            slot.lengths = lengths;
        } else {
            self.long.resize_with(self.slots.len(), Default::default);
            self.long.push([name.into(), policy.into()]);
        }
        self.slots.push(slot);
    }

    /// The name of the connector of this number.
    pub(super) fn name(&self, number: usize) -> Option<&str> {
        match self.slots.get(number)? {
            Slot { lengths: [ELSEWHERE, _], .. } => self.long.get(number).map(|[name, _]| &**name),
            Slot { lengths: [name, _], text } => text_of(text.get(..usize::from(*name))?),
        }
    }

    /// The policy of the connector of this number.
    pub(super) fn policy(&self, number: usize) -> Option<&str> {
        match self.slots.get(number)? {
            Slot { lengths: [ELSEWHERE, _], .. } => self.long.get(number).map(|[_, policy]| &**policy),
            Slot { lengths: [name, policy], text } => {
                text_of(text.get(usize::from(*name)..)?.get(..usize::from(*policy))?)
            }
        }
    }
}

fn text_of(octets: &[u8]) -> Option<&str> {
    std::str::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_line() {
        assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (LINE, LINE));
    }

    #[test]
    fn each_has_its_own_whether_it_fits_or_not() {
        let long = "x".repeat(300);
        let texts = [
            ("one", "encrypt"),
            ("b", ""),
            ("", "secure match=\u{fc}"),
            ("name", &long[..ROOM - 4]),
            ("name", &long[..ROOM - 3]),
            (&long[..ROOM], ""),
            (&long, "may"),
            ("d", "may"),
            ("", &long),
        ];
        let mut spoken = Spoken::default();
        for (name, policy) in texts {
            spoken.push(name, policy);
        }
        for (number, (name, policy)) in texts.into_iter().enumerate() {
            assert_eq!((spoken.name(number), spoken.policy(number)), (Some(name), Some(policy)));
        }
        assert_eq!((spoken.name(texts.len()), spoken.policy(texts.len())), (None, None));
        let long = spoken.long.iter().filter(|[name, policy]| !(name.is_empty() && policy.is_empty()));
        assert_eq!(long.count(), 3, "what fits its slot is not anywhere else");
    }
}
