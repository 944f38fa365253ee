//! The daemon from outside: sockets, signals, log and exit code of a process of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::as_conversions)]

mod activation;
mod broken_disk;
mod client;
mod daemon;
mod exhaustion;
mod exim;
mod faults;
mod files;
mod flood;
mod generations;
mod kept_file;
mod last_good;
mod logging;
mod memory;
mod metrics;
mod metrics_faults;
mod not_kept;
mod policy;
#[path = "../../src/snapshot/postfix_reader.rs"]
mod postfix_reader;
mod prometheus_reader;
mod reload;
mod replaced;
mod scraper;
mod shutdown;
mod socketmap;
mod start;
mod weaker_restart;
mod wire;
