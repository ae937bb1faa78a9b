//! Builds the static tables of the token counter from the vocabularies of `tiktoken-rs`.
//!
//! Everything is deterministic: the same vocabularies and Unicode tables give the same bytes.

mod boundaries;
mod classes;
#[path = "../src/hash.rs"]
mod hash;
mod pack;
mod perfect;
mod vocabulary;

use std::{env, error::Error, path::PathBuf};

use vocabulary::Vocabulary;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    classes::write(&out)?;
    for (name, oracle) in [
        ("o200k", tiktoken_rs::o200k_base()?),
        ("cl100k", tiktoken_rs::cl100k_base()?),
    ] {
        let vocabulary = Vocabulary::read(&oracle)?;
        pack::write(&vocabulary, &out, name)?;
    }
    rerun_when_changed();
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is how a build script talks to Cargo")]
fn rerun_when_changed() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/hash.rs");
}
