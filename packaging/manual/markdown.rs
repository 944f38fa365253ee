//! Markdown to man(7): as much of it as our own files have.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use roff::{Inline, bold, italic, roman};

use crate::page::{Page, plain};

/// How a text is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Font {
    Roman,
    Bold,
    Italic,
}

/// What the text that comes is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Paragraph,
    /// A point of a list, and whether something of it stands there already.
    Item(bool),
}

/// Adds a text to a page. Its title is left out, for the page has its own. What stands before the first heading
/// is the description.
pub fn add(text: &str, page: &mut Page) {
    let mut writer = Writer {
        page,
        text: Vec::new(),
        font: Font::Roman,
        block: Block::Paragraph,
        rows: Vec::new(),
        has_begun: false,
    };
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        writer.event(event);
    }
}

struct Writer<'p> {
    page: &'p mut Page,
    text: Vec<Inline>,
    font: Font,
    block: Block,
    rows: Vec<Vec<Vec<Inline>>>,
    has_begun: bool,
}

impl Writer<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.push(&text),
            Event::Code(code) => self.text.push(bold(code.to_string())),
            Event::SoftBreak | Event::HardBreak => self.push(" "),
            Event::Rule
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => unreachable!("our files have none: {event:?}"),
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push(match self.font {
            Font::Roman => roman(text),
            Font::Bold => bold(text),
            Font::Italic => italic(text),
        });
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not set in another way needs no beginning")]
    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Strong => self.font = Font::Bold,
            Tag::Emphasis => self.font = Font::Italic,
            Tag::Item => {
                self.paragraph();
                self.block = Block::Item(false);
            }
            Tag::Paragraph => self.begin(),
            Tag::Table(_) => {
                self.begin();
                self.rows.push(Vec::new());
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.begin();
                self.paragraph();
            }
            Tag::Heading { .. } => self.paragraph(),
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "as above")]
    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong | TagEnd::Emphasis => self.font = Font::Roman,
            TagEnd::Paragraph => self.paragraph(),
            TagEnd::Item => {
                self.paragraph();
                self.block = Block::Paragraph;
            }
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::CodeBlock => {
                let code: String = std::mem::take(&mut self.text).into_iter().map(plain).collect();
                self.page.code(&code);
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell);
                }
            }
            TagEnd::TableHead | TagEnd::TableRow => self.rows.push(Vec::new()),
            TagEnd::Table => {
                self.rows.pop();
                self.page.table(&std::mem::take(&mut self.rows));
            }
            _ => {}
        }
    }

    /// The description begins with whatever comes first.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.page.section("description");
        }
    }

    /// What has come is a paragraph.
    fn paragraph(&mut self) {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return;
        }
        match self.block {
            Block::Paragraph => self.page.inlines(text),
            Block::Item(false) => {
                self.page.bullet(text);
                self.block = Block::Item(true);
            }
            Block::Item(true) => self.page.more(text),
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text = std::mem::take(&mut self.text);
        match level {
            HeadingLevel::H1 => {}
            HeadingLevel::H2 => {
                self.has_begun = true;
                let title: String = text.into_iter().map(plain).collect();
                self.page.section(&title);
            }
            HeadingLevel::H3 | HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => {
                self.page.subsection(text);
            }
        }
    }
}
