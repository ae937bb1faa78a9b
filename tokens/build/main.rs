//! Builds the static tables of the token counter from the vocabularies of `tiktoken-rs`.
//!
//! Everything is deterministic: the same vocabularies and Unicode tables give the same bytes.

mod boundaries;
mod buckets;
mod classes;
#[path = "../src/hash.rs"]
mod hash;
mod pack;
mod spellings;
mod vocabulary;

use std::{env, error::Error, path::PathBuf};

use vocabulary::Vocabulary;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    classes::write(&out)?;
    let o200k = Vocabulary::read(&tiktoken_rs::o200k_base()?)?;
    let cl100k = Vocabulary::read(&tiktoken_rs::cl100k_base()?)?;
    // Their order is that of the bits in `src/spellings.rs`.
    spellings::write(&[&o200k, &cl100k], &out)?;
    pack::write(&o200k, &out, "o200k")?;
    pack::write(&cl100k, &out, "cl100k")?;
    rerun_when_changed();
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is how a build script talks to Cargo")]
fn rerun_when_changed() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/hash.rs");
}
