//! The values of the map `tls`, by the number of the connector.
//!
//! They lie one after another, apart from the rest of the connectors: nearly every answer is a copy
//! of one of them, and those of ten thousand connectors then stay in a processor's cache.

/// Texts by number.
#[derive(Debug, Default)]
pub struct Policies {
    text: String,
    ends: Vec<usize>,
}

impl Policies {
    /// Adds the next one.
    pub(super) fn push(&mut self, policy: &str) {
        self.text.push_str(policy);
        self.ends.push(self.text.len());
    }

    /// The one of this number.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let start = match number.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..*self.ends.get(number)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own() {
        let texts = ["encrypt", "", "secure match=\u{fc}", "may"];
        let mut policies = Policies::default();
        for text in texts {
            policies.push(text);
        }
        for (number, text) in texts.into_iter().enumerate() {
            assert_eq!(policies.get(number), Some(text));
        }
        assert_eq!(policies.get(texts.len()), None);
    }
}
