//! The workspace's programs and tests, built at once.
//!
//! Cargo unites the features of the packages that it is asked for: asked for some here and for others there, it builds
//! tokio and all that stands on it again each time. Asked for all of them once, it builds each dependency once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use tollgate_stack::Repository;

use super::step::Step;

/// What is built: what `cargo test` would build, and all programs.
const BUILD: [&str; 6] = ["build", "--workspace", "--lib", "--bins", "--tests", "--locked"];

/// A binary of tests.
#[derive(Debug)]
pub(super) struct Binary {
    program: PathBuf,
    /// The folder of its package: tests run there.
    package: PathBuf,
    target: Target,
}

/// A line of what cargo tells of a build.
#[derive(Debug, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        manifest_path: PathBuf,
        target: Target,
        profile: Profile,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

// === impl Binary ===

impl Binary {
    /// The binary, where the message tells of one.
    fn of(message: Message) -> Option<Self> {
        let Message::CompilerArtifact {
            manifest_path,
            target,
            profile: Profile { test: true },
            executable: Some(program),
        } = message
        else {
            return None;
        };
        let package = manifest_path.parent()?.to_owned();
        Some(Self {
            program,
            package,
            target,
        })
    }

    /// Whether it belongs to the package in this folder.
    pub(super) fn is_in(&self, package: &Path) -> bool {
        self.package == package
    }

    /// Its tests as a step.
    pub(super) fn step(&self) -> Step {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.package)
            // Where cargo starts tests, this names their package. Here it would name that of this program.
            .env("CARGO_MANIFEST_DIR", &self.package);
        let (package, target) = (self.package.display(), &self.target.name);
        Step::new(format!("tests of {package} ({target})"), command).repeated_by(self.repeated_by())
    }

    fn repeated_by(&self) -> String {
        let Target { name, kind } = &self.target;
        let only = match kind.first().map(String::as_str) {
            Some("test") => format!("--test {name}"),
            Some("bin") => format!("--bin {name}"),
            _ => "--lib".to_owned(),
        };
        format!(
            "cargo test --manifest-path {}/Cargo.toml {only}",
            self.package.display()
        )
    }
}

/// Builds everything, and finds the tests in it.
pub(super) fn build(repository: &Repository) -> Result<Vec<Binary>> {
    let mut cargo = repository.cargo();
    cargo.args(BUILD).arg("--message-format=json-render-diagnostics");
    let told = Step::new("all programs and tests", cargo)
        .repeated_by(format!("cargo {}", BUILD.join(" ")))
        .show_and_read()?;
    let lines = told.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut found = Vec::new();
    for line in lines {
        let message = serde_json::from_slice(line)
            .with_context(|| format!("what cargo told of the build: {}", String::from_utf8_lossy(line)))?;
        found.extend(Binary::of(message));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Binary> {
        Binary::of(serde_json::from_str(line).unwrap())
    }

    #[test]
    fn a_binary_of_tests_is_run_in_its_package() {
        let it = read(
            r#"{"reason":"compiler-artifact","package_id":"path+file:///t/sidecar#tollgate-sidecar@0.1.0",
            "manifest_path":"/t/sidecar/Cargo.toml","target":{"kind":["test"],"crate_types":["bin"],"name":"it",
            "src_path":"/t/sidecar/tests/it/main.rs","edition":"2024","doc":false,"doctest":false,"test":true},
            "profile":{"opt_level":"0","debuginfo":0,"debug_assertions":true,"overflow_checks":true,"test":true},
            "features":[],"filenames":["/t/target/debug/deps/it-1"],"executable":"/t/target/debug/deps/it-1",
            "fresh":true}"#,
        );
        let it = it.unwrap();
        assert!(it.is_in(Path::new("/t/sidecar")) && !it.is_in(Path::new("/t")));
        assert_eq!(
            it.repeated_by(),
            "cargo test --manifest-path /t/sidecar/Cargo.toml --test it"
        );
    }

    #[test]
    fn a_program_and_the_end_of_the_build_are_no_tests() {
        let program = read(
            r#"{"reason":"compiler-artifact","manifest_path":"/t/mock/Cargo.toml",
            "target":{"kind":["bin"],"name":"tollgate-mock"},"profile":{"test":false},
            "executable":"/t/target/debug/tollgate-mock"}"#,
        );
        assert!(program.is_none());
        assert!(read(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
