//! What must hold whatever the bytes, for a moment: every seed, and mutants of the seeds.
//!
//! The same functions that `fuzz/run` searches for hours with libFuzzer, on the stable toolchain and the same each time:
//! the seeds are files, the mutants come from a generator with a fixed start. A failure shows the bytes; put them into a
//! file in `fuzz/seeds` to keep them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

mod bodies;
mod mutation;
mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};

use mutation::Mutants;

/// Feeds the seeds and so many mutants to a body.
fn run(target: &str, mutants: usize, body: fn(&[u8])) {
    let seeds = seeds::of(target);
    let generated = Mutants::new(&seeds, seeds::dictionary(target)).take(mutants);
    for input in seeds.iter().cloned().chain(generated) {
        if catch_unwind(AssertUnwindSafe(|| body(&input))).is_err() {
            panic!("{target} does not hold for these {} bytes: b\"{}\"", input.len(), input.escape_ascii());
        }
    }
}

/// How many mutants: about a second's worth in a debug build.
macro_rules! targets {
    ($($target:ident: $mutants:literal)*) => {
        $(
            #[test]
            fn $target() {
                run(stringify!($target), $mutants, bodies::$target);
            }
        )*

        /// A directory of seeds that no target reads would be forgotten.
        #[test]
        fn every_seed_has_its_target() {
            assert_eq!(seeds::targets(), { let mut all = [$(stringify!($target)),*]; all.sort_unstable(); all });
        }
    };
}

targets! {
    netstring: 150_000
    socketmap: 60_000
    policy: 10_000
    exim: 40_000
    xtext: 100_000
    domain: 16_000
    configuration: 4_000
    certificate: 8_000
    policy_table: 3_000
    list: 3_000
    exchange: 8_000
}
