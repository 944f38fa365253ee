//! What the linker is told.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Of 100 KiB of relocations, which every start reads, 10 are left: a daemon with a small configuration
    // has half a megabyte less in memory. A linker that does not know the word goes on without it.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}
