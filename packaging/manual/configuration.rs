//! connectord.toml(5): from the table that the parser knows the keys by.

use connectord::config;
use roff::{bold, roman};

use crate::markdown;
use crate::page::{Page, marked};

/// What the keys have in common.
const BEGIN: &str = include_str!("connectord.toml.5.md");

/// Characters of a word that are too many for a line.
const UNBROKEN: usize = 60;

/// The smallest one that serves.
const SMALL: &str = include_str!("../../contrib/examples/small.toml");

/// The page.
pub fn page() -> (String, String) {
    let mut page = Page::new("connectord.toml", "5", "the configuration of connectord");
    markdown::add(BEGIN, &mut page);
    let mut last = "";
    for (table, name, key) in config::keys() {
        if table != last {
            page.section(table);
            last = table;
        }
        let tag = vec![bold(name), roman(format!(" = {}", key.value.replace('`', "")))];
        page.item(tag, marked(key.about));
        let default = match key.default {
            Some(default) => format!("Default: {default}."),
            None => "Mandatory.".to_owned(),
        };
        if key.example.split(' ').all(|word| word.len() < UNBROKEN) {
            page.more(marked(&format!("{default} Example: `{}`", key.example)));
        } else {
            page.more(marked(&format!("{default} Example:")));
            page.code(key.example);
        }
    }
    page.section("example");
    page.code(SMALL);
    page.section("see also");
    page.paragraph("connectord(8), connectord-check(8), connectord-postfix(7), connectord-exim(7), connectord-monitoring(7)");
    ("connectord.toml.5".to_owned(), page.render())
}
