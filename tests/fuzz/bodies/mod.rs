//! What must hold whatever the bytes: one function for each thing that reads what others wrote.
//!
//! `cargo test --test fuzz` feeds them seeds and mutants of seeds for a moment; `fuzz/run` lets libFuzzer search for
//! hours. Both run these very functions, so a finding of the one is a failing test of the other: put its bytes into
//! `fuzz/seeds`.
//!
//! No body repeats what the code under test does. What is expected comes from [`naive`], which knows neither index nor
//! snapshot, from [`site`], where the right answers are written down by hand, from [`postfix`], which reads a reply as
//! Postfix would, and from OpenSSL.

mod certificate;
mod configuration;
mod domain;
mod exchange;
mod exim;
mod imported;
mod inbound;
mod naive;
mod netstring;
mod policy;
mod site;
mod socketmap;
mod stream;
mod vocabulary;
mod xtext;

// As the unit tests have it too.
#[path = "../../../src/snapshot/postfix_reader.rs"]
#[allow(dead_code)] // whole replies are for tests of the daemon
mod postfix;

// The unit tests' own way of cutting a stream, with the error that it names.
#[path = "../../../src/protocol/pieces.rs"]
mod pieces;
use connectord::protocol::Error;

pub use certificate::certificate;
pub use configuration::configuration;
pub use domain::domain;
pub use exchange::exchange;
pub use exim::exim;
pub use imported::{list, policy_table};
pub use netstring::netstring;
pub use policy::policy;
pub use socketmap::socketmap;
pub use xtext::xtext;
