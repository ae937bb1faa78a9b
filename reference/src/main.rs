//! Writes the reference: `cargo xtask docs`.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use tollgate_reference::{files, root};

fn main() -> Result<()> {
    let mut out = std::io::stdout();
    for file in files() {
        let path = root().join(file.path);
        let is_new = std::fs::read_to_string(&path).map_or(true, |text| text != file.text);
        if is_new {
            std::fs::write(&path, file.text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let state = if is_new { "written" } else { "up to date" };
        writeln!(out, "{}: {state}", file.path)?;
    }
    Ok(())
}
