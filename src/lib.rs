//! TLS connectors for Postfix and Exim.
//!
//! A *connector* is a named agreement with a partner: mail to and from these domains always
//! travels over TLS, and it is known who is at the other end. This crate is the daemon that
//! answers an MTA for such agreements, and the command line beside it.
//!
//! # The map
//!
//! Data flows one way:
//!
//! ```text
//! TOML -> config -> model -> snapshot -> answer -> bytes
//! ```
//!
//! | module | what it is | what it knows |
//! |---|---|---|
//! | [`config`] | TOML as written, every problem with its place, to the model | files |
//! | [`model`] | connectors, requirements and their one order of strength, certificate facts | no file, no socket, no clock |
//! | [`snapshot`] | one generation compiled for lookup; the difference between two | the model |
//! | [`answer`] | (snapshot, request) to answer, pure | the snapshot |
//! | [`protocol`] | bytes to requests and replies to bytes: socketmap, policy delegation, Exim's lines, control | no connector |
//! | [`mta`] | what the settings of Postfix and Exim mean for the connectors; the answers as static tables | the snapshot |
//! | [`load`] | files to snapshot, the same for `check`, start and reload | config and snapshot |
//! | [`state_directory`] | what outlives a run, as files that appear whole or not at all | no connector |
//! | [`server`] | the async edge: sockets, connections, signals, reload, the log | all of the above |
//! | [`validate`] | testing a partner, and what is kept of it | everything but the server |
//! | [`prove`] | trying connectors with a copy of the MTA and servers that do everything wrong | everything but the server |
//! | [`migrate`] | connectors from what people have, as text; what a partner has to configure | the words of the configuration |
//! | [`cli`] | one file for each subcommand; the only layer that prints | all of the above |
//!
//! Nothing points up, and `model`, `snapshot`, `answer` and `protocol` are pure: they import no
//! tokio and no serde, open nothing and do not ask the time. `answer` is the only
//! place where a reply can be made, so the vocabulary of replies is closed, and `explain` calls
//! the same functions as the daemon.
//!
//! There are two programs of it: `connectord`, which is the daemon and all commands but one, and
//! `connectord-validate`, which `connectord` becomes for `validate` and `prove`: it alone has a TLS library in it.
//!
//! # What must never happen
//!
//! An answer weaker than a connector demands. Whatever cannot be decided is deferred: a key that
//! is no name, a map that does not exist, a state that nobody documents. `NOTFOUND` and `DUNNO`
//! are said only when the whole index was consulted and no connector applies.

// The crate is a program: whoever reads its documentation reads all of it.
#![allow(rustdoc::private_intra_doc_links)]

pub mod answer;
pub mod cli;
pub mod config;
pub mod load;
pub mod migrate;
pub mod model;
pub mod mta;
pub mod protocol;
pub mod prove;
pub mod server;
pub mod snapshot;
pub(crate) mod state_directory;
pub mod validate;
