//! Results of validations, kept under the state directory.
//!
//! ```text
//! <state-dir>/validation/key              32 random bytes, made once, for its owner alone
//! <state-dir>/validation/<connector>.json {"format":1,"mac":"..","record":{..}}
//! ```
//!
//! A [`Record`] is one connector's report with the digest of the settings that were tested. It is
//! sealed with an HMAC-SHA256 over every byte of it, by a key that never leaves the directory: what
//! somebody wrote, cut, copied from another machine or from another connector is never shown as a
//! validation. It counts as "not validated", with the reason told, and the next run replaces it.
//! Who may read the key can forge a result; that is root, and the user that the directory is of.
//!
//! | file | what it is |
//! |---|---|
//! | [`key`] | the seal |
//! | [`record`] | a result as bytes |
//! | [`store`] | reading and keeping; the files themselves are [`crate::state_directory`]'s part |
//! | [`validation`] | what a kept result says today; pure |
//!
//! Runs at the same time do no harm: every file is written whole and then renamed into place, so
//! the last one wins. When root runs `validate`, what it writes is given to the owner of the state
//! directory, so that the daemon's user can read it.

mod key;
mod record;
mod store;
#[cfg(test)]
mod store_tests;
mod validation;

pub use record::{Record, Unusable};
pub use store::{KeepError, Keeper, Store};
pub use validation::{MAX_AGE, Stale, Validation};
pub(in crate::validate) use validation::{date, days_until, in_days};
