//! Questions to the daemon in an expansion of Exim: `${readsocket{SOCKET}{REQUEST}{OPTIONS}{EOL}{FAIL}}`.

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'t> {
    /// What stands before it.
    pub before: &'t str,
    /// The socket, as it is written.
    pub socket: &'t str,
    /// The request line.
    pub request: &'t str,
    /// What stands for the answer when there is none. Without it the expansion fails then.
    pub fail: Option<&'t str>,
    /// What stands behind it.
    pub after: &'t str,
}

const START: &str = "${readsocket";

impl<'t> Question<'t> {
    /// The questions of a kind (`out`, `in`, `cert`) in a text, in their order.
    pub fn all(text: &'t str, verb: &'static str) -> impl Iterator<Item = Question<'t>> {
        let places = text.match_indices(START).filter_map(|(at, _)| text.split_at_checked(at));
        places.filter_map(move |(before, rest)| {
            let rest = rest.strip_prefix(START)?;
            let (socket, rest) = group(rest)?;
            let (request, mut rest) = group(rest)?;
            // Options, the end of line, what is said instead.
            let mut others = [None; 3];
            for other in &mut others {
                if let Some((inside, behind)) = group(rest) {
                    *other = Some(inside);
                    rest = behind;
                }
            }
            let [_options, _end_of_line, fail] = others;
            let after = rest.trim_start().strip_prefix('}')?;
            let is_one = request.split_whitespace().next() == Some(verb);
            is_one.then_some(Question { before, socket, request, fail, after })
        })
    }

    /// Whether there is one.
    pub fn is_in(text: &str, verb: &'static str) -> bool {
        Question::all(text, verb).next().is_some()
    }
}

/// What is within the braces that a text begins with, and what is behind them.
fn group(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start().strip_prefix('{')?;
    let mut depth = 1_usize;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (inside, rest) = text.split_at_checked(at)?;
            return Some((inside, rest.strip_prefix('}')?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_question_is_taken_apart() {
        let text = r"${if eq{ok}{${readsocket{/run/x.sock}{cert domain=${quote:$domain} der=$d\n}{3s}{.}{no {a\}}}}}{}{no}}";
        let all: Vec<Question<'_>> = Question::all(text, "cert").collect();
        assert_eq!(
            all,
            [Question {
                before: "${if eq{ok}{",
                socket: "/run/x.sock",
                request: r"cert domain=${quote:$domain} der=$d\n",
                fail: Some(r"no {a\}}"),
                after: "}{}{no}}",
            }]
        );
        assert!(!Question::is_in(text, "out"));
    }

    #[test]
    fn what_is_left_out_is_left_out() {
        let one = |text: &'static str| Question::all(text, "in").next().unwrap();
        assert_eq!(one("${readsocket{s}{in a=b}}").fail, None);
        assert_eq!(one("${readsocket {s} {in a=b} {3s}{ } }").fail, None);
        assert_eq!(one("${readsocket{s}{in a=b}{3s}{ }{}}").fail, Some(""));
        for text in
            ["${readsocket{s}{in a=b}", "${readsocket{s}{in", "${readsocket{s}}", "${readsocket{s}{inn}}"]
        {
            assert!(!Question::is_in(text, "in"), "{text}");
        }
    }
}
