//! `connectord import postfix`.

use std::path::PathBuf;

use clap::Args;

use super::mode::Imported;
use super::{input, summary};
use crate::cli::{Exit, Failure, Output};
use crate::migrate::Unique;
use crate::migrate::postfix::plan::{self, Import};
use crate::migrate::postfix::policies;
use crate::migrate::postfix::policy::MainCf;

/// The options of `import postfix`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// A table of smtp_tls_policy_maps in text form, as postmap(1) and `texthash:` read it
    ///
    /// What main.cf says is not looked at: a policy without `match` means Postfix's default, and what there is
    /// without the table is taken for `may`.
    file: PathBuf,
    /// The mode of the connectors
    #[arg(long, value_enum, default_value = "report")]
    mode: Imported,
}

pub(super) fn run(options: &Options, out: &mut Output) -> Result<Exit, Failure> {
    let Options { file, mode } = options;
    let text = match input::read(file)? {
        Ok(text) => text,
        Err(refused) => return summary::write(&[], &[], &[refused], out),
    };
    let (written, mut refused) = policies::lines(&file.display().to_string(), &text);
    let lines = written.len();
    let Import { drafts, refused: stays } =
        plan::outbound(written, &MainCf::default(), (*mode).into(), &mut Unique::default());
    refused.extend(stays);
    refused.sort_by_key(|refused| refused.line);
    let head = [
        format!("Imported from {}: {lines} entries of smtp_tls_policy_maps, {} not imported.", file.display(), refused.len()),
        "What Postfix does without the table is taken for `may`: smtp_tls_security_level and [mta] level say what it is."
            .to_owned(),
    ];
    summary::write(&head, &drafts, &refused, out)
}
