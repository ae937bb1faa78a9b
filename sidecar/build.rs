//! Rebuilds the crate when a migration or a file of the page is added: they are embedded at compile time.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=web");
}
