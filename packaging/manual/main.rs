//! Writes the manual pages and the completions of shells into a directory:
//!
//! ```text
//! cargo run --example manual -- DIRECTORY
//! ```
//!
//! What has a definition is taken from there: the command line from clap, the keys of the configuration from
//! the table that the parser reads them by, exit codes from their enum, the guides from `contrib`. The texts
//! that have none are the Markdown files here.

#![allow(clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod commands;
mod configuration;
mod guides;
mod markdown;
mod page;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use clap::CommandFactory as _;
use clap_complete::Shell;
use connectord::cli::CommandLine;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("usage: manual DIRECTORY");
        return ExitCode::from(64);
    };
    match write(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: {}: {error}", Path::new(&directory).display());
            ExitCode::from(70)
        }
    }
}

fn write(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, text) in pages() {
        fs::write(directory.join(name), text)?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut CommandLine::command(), "connectord", directory)?;
    }
    Ok(())
}

/// Every page by the name of its file.
fn pages() -> Vec<(String, String)> {
    let mut pages = commands::pages();
    pages.push(configuration::page());
    pages.extend(guides::pages());
    pages
}
