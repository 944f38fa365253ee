//! connectord(8), and a page for each command: from the command line's own definition.

use std::io::Write as _;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use connectord::cli::{CommandLine, Exit};
use connectord::mta::finding::Kind;
use connectord::mta::{exim, postfix};
use connectord::prove::server::Server;
use roff::{bold, roman};

use crate::markdown;
use crate::page::{HAS_TABLES, Page, marked};

/// What has no definition: signals, files, and the like.
const REST: &str = include_str!("connectord.8.md");

/// The pages.
pub fn pages() -> Vec<(String, String)> {
    let mut root = CommandLine::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    add(&root, &mut pages);
    pages
}

fn add(command: &Command, pages: &mut Vec<(String, String)>) {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    pages.push((format!("{name}.8"), page(command, &name)));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        add(inner, pages);
    }
}

fn page(command: &Command, name: &str) -> String {
    let source = concat!("connectord ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).title(name).section("8").source(source).manual("connectord").date("");
    let mut text = Vec::new();
    let rendered = man
        .render_title(&mut text)
        .and_then(|()| text.write_all(b".nh\n.ad l\n")) // as `Page::new`
        .and_then(|()| man.render_name_section(&mut text))
        .and_then(|()| man.render_synopsis_section(&mut text))
        .and_then(|()| man.render_description_section(&mut text))
        .and_then(|()| man.render_options_section(&mut text))
        .and_then(
            |()| if command.has_subcommands() { man.render_subcommands_section(&mut text) } else { Ok(()) },
        );
    rendered.expect("memory takes what is written");
    let mut text = String::from_utf8(text).expect("the command line is text");
    let mut behind = Page::behind();
    if name == "connectord" {
        exit_status(&mut behind);
        markdown::add(REST, &mut behind);
    } else {
        match name {
            "connectord-doctor-postfix" => findings(postfix::doctor::KINDS, &mut behind),
            "connectord-doctor-exim" => findings(exim::doctor::KINDS, &mut behind),
            "connectord-prove" => servers(&mut behind),
            _ => {}
        }
        behind.section("exit status");
        behind.paragraph("As all commands: connectord(8).");
        behind.section("see also");
        behind.paragraph("connectord(8), connectord.toml(5)");
    }
    text.push_str(&behind.render_behind());
    format!("{HAS_TABLES}{text}")
}

fn findings(kinds: &[&Kind], page: &mut Page) {
    page.section("findings");
    for kind in kinds {
        page.item(vec![bold(kind.id), roman(format!(" ({})", kind.severity.word()))], marked(kind.about));
    }
}

/// What mail is sent to, by the names in its output.
fn servers(page: &mut Page) {
    page.section("servers");
    for server in Server::ALL {
        page.item(vec![bold(server.id())], marked(server.about()));
    }
}

fn exit_status(page: &mut Page) {
    page.section("exit status");
    for exit in Exit::ALL {
        page.item(vec![bold(exit.code().to_string())], marked(exit.meaning()));
    }
}
