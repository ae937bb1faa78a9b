//! The developer's one front door.

fn main() {}
