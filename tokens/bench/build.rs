//! Gathers English and code from the repository's own files: prose from its documents and doc comments, code from
//! its sources.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Folders of the repository with sources.
const SOURCES: &[&str] = &["core/src", "sidecar/src", "src", "mock/src", "stack/src"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut english, mut code) = (String::new(), String::new());
    let mut documents = files(&root.join("docs"), "md")?;
    documents.push(root.join("README.md"));
    for path in documents {
        english.push_str(&fs::read_to_string(path)?);
    }
    for folder in SOURCES {
        for path in files(&root.join(folder), "rs")? {
            let source = fs::read_to_string(path)?;
            for line in source.lines() {
                let line_of_prose = line.trim_start().strip_prefix("//");
                if let Some(prose) = line_of_prose {
                    english.push_str(prose.trim_start_matches(['/', '!']));
                    english.push('\n');
                }
            }
            code.push_str(&source);
        }
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("english.txt"), english)?;
    fs::write(out.join("code.txt"), code)?;
    Ok(())
}

/// All files under `folder` whose names end so, in order.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    rerun_when_changed(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn rerun_when_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
