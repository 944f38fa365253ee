//! A manual page as it grows: man(7) with the tables of tbl(1).

use roff::{Inline, Roff, bold, roman};

/// The first line of a page, for man(1).
pub const HAS_TABLES: &str = "'\\\" t\n";

/// Characters of a cell that is never broken.
const NARROW: usize = 30;

/// A page.
pub struct Page {
    roff: Roff,
}

impl Page {
    /// The page of this name in this section, and what it is in a line.
    pub fn new(name: &str, section: &str, about: &str) -> Page {
        let mut roff = Roff::new();
        roff.control("TH", title(name, section));
        // Nothing is stretched, and no word is broken: most are to be typed.
        roff.control("nh", []).control("ad", ["l"]);
        roff.control("SH", ["NAME"]).text([roman(format!("{name} - {about}"))]);
        Page { roff }
    }

    /// What goes on behind text that is man(7) already.
    pub fn behind() -> Page {
        Page { roff: Roff::new() }
    }

    pub fn section(&mut self, title: &str) {
        // Not that of a table of TOML.
        let title = if title.contains('[') { title.to_owned() } else { title.to_uppercase() };
        self.roff.control("SH", [title.as_str()]);
    }

    pub fn subsection(&mut self, title: Vec<Inline>) {
        self.roff.control("SS", []).text(title);
    }

    /// A paragraph of text with `marked` words.
    pub fn paragraph(&mut self, text: &str) {
        self.inlines(marked(text));
    }

    pub fn inlines(&mut self, text: Vec<Inline>) {
        self.roff.control("PP", []).text(text);
    }

    /// A text behind its tag.
    pub fn item(&mut self, tag: Vec<Inline>, text: Vec<Inline>) {
        self.roff.control("TP", []).text(tag).text(text);
    }

    /// Another paragraph of the last item.
    pub fn more(&mut self, text: Vec<Inline>) {
        self.roff.control("IP", []).text(text);
    }

    /// A point of a list.
    pub fn bullet(&mut self, text: Vec<Inline>) {
        self.roff.control("IP", ["*", "2"]).text(text);
    }

    /// Lines as they are, each indented.
    pub fn code(&mut self, text: &str) {
        self.roff.control("PP", []).control("RS", ["4"]).control("EX", []);
        for line in text.trim_end().lines() {
            self.roff.text([roman(line)]);
        }
        self.roff.control("EE", []).control("RE", []);
    }

    /// Rows of cells, the first of them the head. Columns of short cells are as wide as those; the others share
    /// the room that is left.
    pub fn table(&mut self, rows: &[Vec<Vec<Inline>>]) {
        let columns = rows.first().map_or(0, Vec::len);
        let is_wide = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let texts: Vec<String> = cells.map(|cell| cell.iter().cloned().map(plain).collect()).collect();
            let is_long = |text: &str| text.chars().count() > NARROW;
            // What has no spaces is not broken in any case.
            texts.iter().any(|text| is_long(text)) && !texts.iter().any(|text| text.split(' ').any(is_long))
        };
        let is_wide: Vec<bool> = (0..columns).map(is_wide).collect();
        let layout = |word: &str| {
            let columns =
                is_wide.iter().map(|is_wide| if *is_wide { format!("{word}x") } else { word.to_owned() });
            columns.collect::<Vec<_>>().join(" ")
        };
        self.roff.control("PP", []).control("TS", []);
        self.roff.text([roman("tab(|) nokeep;")]);
        self.roff.text([roman(layout("lb"))]);
        self.roff.text([roman(format!("{}.", layout("l")))]);
        for row in rows {
            let mut line = Vec::new();
            for (number, (cell, is_wide)) in row.iter().zip(&is_wide).enumerate() {
                if number > 0 {
                    line.push(roman("|"));
                }
                if *is_wide {
                    line.push(roman("T{"));
                    self.roff.text(std::mem::take(&mut line)).text(cell.clone());
                    line.push(roman("T}"));
                } else {
                    line.extend(cell.iter().cloned());
                }
            }
            self.roff.text(line);
        }
        self.roff.control("TE", []);
    }

    /// The page as the bytes of its file.
    pub fn render(&self) -> String {
        format!("{HAS_TABLES}{}", self.roff.render())
    }

    /// What stands behind another page, without its beginning.
    pub fn render_behind(&self) -> String {
        self.roff.to_roff()
    }
}

/// The text without its font.
pub fn plain(inline: Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Bold(text) | Inline::Italic(text) => text,
        Inline::LineBreak => "\n".to_owned(),
    }
}

/// The arguments of `.TH`. No date: the same source gives the same page.
fn title<'a>(name: &'a str, section: &'a str) -> [&'a str; 5] {
    [name, section, "", concat!("connectord ", env!("CARGO_PKG_VERSION")), "connectord"]
}

/// A text in which what stands between two backticks is bold.
pub fn marked(text: &str) -> Vec<Inline> {
    let words = text.split('`').enumerate();
    let inlines = words.map(|(number, text)| if number % 2 == 0 { roman(text) } else { bold(text) });
    inlines.collect()
}
