//! What is said of outbound connectors all the time: their names and their values of the map `tls`.
//!
//! Nearly every answer and its line in the log are made of them. They lie one after another, apart
//! from the rest of the connectors, so that those of ten thousand stay in a processor's cache.

/// Names and policies by the number of the connector.
#[derive(Debug, Default)]
pub struct Spoken {
    text: String,
    /// Of each connector where its name ends, and where its policy does.
    ends: Vec<[u32; 2]>,
}

impl Spoken {
    /// Adds the next connector.
    pub(super) fn push(&mut self, name: &str, policy: &str) {
        let ends = [name, policy].map(|part| {
            self.text.push_str(part);
            // Configuration is limited to 256 MiB in all, and a policy to one reply for each connector.
            u32::try_from(self.text.len()).expect("names and policies are below 4 GiB")
        });
        self.ends.push(ends);
    }

    /// The name of the connector of this number.
    pub(super) fn name(&self, number: usize) -> Option<&str> {
        let [end, _] = *self.ends.get(number)?;
        let start = match number.checked_sub(1) {
            Some(before) => self.ends.get(before)?[1],
            None => 0,
        };
        self.part(start, end)
    }

    /// The policy of the connector of this number.
    pub(super) fn policy(&self, number: usize) -> Option<&str> {
        let [start, end] = *self.ends.get(number)?;
        self.part(start, end)
    }

    fn part(&self, start: u32, end: u32) -> Option<&str> {
        self.text.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own() {
        let texts = [("one", "encrypt"), ("b", ""), ("", "secure match=\u{fc}"), ("d", "may")];
        let mut spoken = Spoken::default();
        for (name, policy) in texts {
            spoken.push(name, policy);
        }
        for (number, (name, policy)) in texts.into_iter().enumerate() {
            assert_eq!((spoken.name(number), spoken.policy(number)), (Some(name), Some(policy)));
        }
        assert_eq!((spoken.name(texts.len()), spoken.policy(texts.len())), (None, None));
    }
}
