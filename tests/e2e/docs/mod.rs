//! Every command and every example of the documentation, as it is written.

mod blocks;
mod links;
mod pattern;
mod schemas;
mod session;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use tollgate_stack::Repository;

use self::blocks::{Block, blocks, commands, is_output};
use self::session::Session;

/// Commands that are not run here, by page and beginning, and why.
const NOT_RUN: [(&str, &str, &str); 5] = [
    (
        "CONTRIBUTING.md",
        "cargo xtask up ",
        "it stays in the foreground; README.md's is run",
    ),
    (
        "docs/operations.md",
        "cargo build --release --target wasm32-wasip1",
        "every system of the tests is built so",
    ),
    (
        "docs/operations.md",
        "cargo build --profile server",
        "the sidecar with full optimisation takes minutes",
    ),
    (
        "docs/performance.md",
        "cargo xtask bench",
        "it takes a machine for itself, and a quarter of an hour",
    ),
    (
        "fuzz/README.md",
        "cargo install cargo-fuzz",
        "the installation and a run take minutes",
    ),
];

/// Pages whose commands need a system: each is a test of its own.
const WITH_A_SYSTEM: [&str; 4] = ["README.md", "docs/api.md", "docs/budgets.md", "docs/errors.md"];

fn read(page: &str) -> String {
    let text = std::fs::read_to_string(Repository::here().root().join(page));
    text.unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// All pages of the repository, but for what pages are made of (`reference/`).
fn pages() -> Vec<String> {
    let root = Repository::here();
    let mut found = Vec::new();
    collect(root.root(), root.root(), &mut found);
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "reference"].contains(&name.as_str()) && !name.starts_with('.') {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

/// Why a command is not run, if so.
fn excuse(page: &str, command: &str) -> Option<&'static str> {
    let found = NOT_RUN
        .iter()
        .find(|(of, beginning, _)| *of == page && command.starts_with(beginning));
    found.map(|(.., reason)| *reason)
}

async fn run_all(page: &str) {
    let mut session = Session::new();
    let shown = commands(&blocks(&read(page)));
    assert!(!shown.is_empty(), "{page} shows no command");
    for one in shown {
        if let Some(reason) = excuse(page, &one.command) {
            println!(
                "{page}: not run: {} ({reason})",
                one.command.lines().next().unwrap_or_default()
            );
            continue;
        }
        if let Err(told) = session.run(&one).await {
            panic!("{page}, {told}");
        }
    }
}

#[tokio::test]
async fn the_readmes_commands_print_what_it_shows() {
    run_all("README.md").await;
}

#[tokio::test]
async fn the_apis_commands_print_what_its_page_shows() {
    run_all("docs/api.md").await;
}

#[tokio::test]
async fn the_budgets_commands_do_what_their_page_says() {
    run_all("docs/budgets.md").await;
}

#[tokio::test]
async fn the_errors_are_those_that_their_page_shows() {
    run_all("docs/errors.md").await;
}

#[tokio::test]
async fn the_commands_of_all_other_pages_run() {
    for page in pages()
        .iter()
        .filter(|page| !WITH_A_SYSTEM.contains(&page.as_str()))
    {
        if !commands(&blocks(&read(page))).is_empty() {
            run_all(page).await;
        }
    }
}

#[test]
fn every_example_is_valid() {
    let mut kinds = BTreeSet::new();
    for page in pages() {
        for block in blocks(&read(&page)) {
            let Block {
                line,
                language,
                text,
                follows,
            } = &block;
            match language.as_str() {
                "sh" | "console" => {}
                kind if *follows && is_output(kind) => {}
                "json" => {
                    let read = serde_json::from_str::<Value>(text);
                    assert!(read.is_ok(), "{page}, line {line}: {read:?}");
                }
                "yaml" => check_yaml(&page, *line, text),
                "dockerfile" => check_copies(&page, *line, text),
                // A drawing.
                "mermaid" | "" => {}
                "sql" => check_query(&page, *line, text),
                other => panic!("{page}, line {line}: nobody checks blocks of `{other}`"),
            }
            kinds.insert(language.clone());
        }
    }
    assert!(kinds.len() > 3, "{kinds:?}");
}

/// A part of Envoy's configuration goes through the checker; a part of the filter's or the sidecar's through its
/// parser, over the little that it needs.
fn check_yaml(page: &str, line: usize, text: &str) {
    let whole: Value =
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{page}, line {line}: {error}"));
    if text.contains("\"@type\"") {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("example.yaml");
        std::fs::write(&file, text).unwrap();
        let output = Repository::here()
            .cargo()
            .args(["xtask", "check"])
            .arg(&file)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{page}, line {line}: {told}");
        return;
    }
    let Value::Object(fields) = whole else {
        assert!(
            whole.is_null(),
            "{page}, line {line}: neither fields nor a comment"
        );
        return;
    };
    if page.contains("sidecar") {
        // `tollgate-reference` holds its examples against the sidecar's own parser.
        return;
    }
    let mut config = Map::from_iter([("sidecar".to_owned(), json!({"cluster": "c", "token": "t"}))]);
    config.extend(fields.clone());
    if let Err(faults) = tollgate_core::config::parse(&serde_json::to_vec(&config).unwrap()) {
        let told = check_sidecar(fields);
        assert_eq!(
            told, None,
            "{page}, line {line}: nor is it the filter's: {faults:?}"
        );
    }
}

/// What the sidecar finds wrong with these fields over its demo's configuration.
fn check_sidecar(fields: Map<String, Value>) -> Option<String> {
    let repository = Repository::here();
    let demo = std::fs::read_to_string(repository.root().join("sidecar/sidecar.yaml")).unwrap();
    let mut config: Map<String, Value> = serde_saphyr::from_str(&demo).unwrap();
    config.extend(fields);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sidecar.json");
    std::fs::write(&file, serde_json::to_vec(&config).unwrap()).unwrap();
    let artifacts = repository
        .build(tollgate_stack::Filter::Shipped, &tollgate_stack::progress::Silent)
        .unwrap();
    let mut check = Command::new(artifacts.sidecar);
    let output = check.arg("check").arg("--config").arg(file).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A query runs on the ledger's schema, and finds nothing in an empty one.
fn check_query(page: &str, line: usize, query: &str) {
    let script = "\
import pathlib, sqlite3, sys
ledger = sqlite3.connect(':memory:')
for migration in sorted(pathlib.Path('sidecar/migrations/sqlite').glob('*.sql')):
    ledger.executescript(migration.read_text())
sys.exit(len(ledger.execute(sys.argv[1]).fetchall()))";
    let output = Command::new("python3")
        .current_dir(Repository::here().root())
        .args(["-c", script, query])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{page}, line {line}: {told}");
}

/// Images are not built here, but what they copy is there.
fn check_copies(page: &str, line: usize, text: &str) {
    println!("{page}, line {line}: not built: there is no Docker");
    let root = Repository::here();
    root.build_wasm(tollgate_stack::Filter::Shipped, &tollgate_stack::progress::Silent)
        .unwrap();
    let copies = text.lines().filter_map(|line| line.trim().strip_prefix("COPY "));
    for source in copies.filter_map(|copy| copy.split(' ').next()) {
        assert!(root.root().join(source).exists(), "{page}, line {line}: {source}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let repository = Repository::here();
    let root = repository.root().canonicalize().unwrap();
    let broken: Vec<String> = pages()
        .iter()
        .flat_map(|page| links::broken(&root, page, &read(page)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_excuse_is_needed() {
    for (page, beginning, reason) in NOT_RUN {
        assert!(
            read(page).contains(beginning),
            "{page} has no `{beginning}` any more ({reason})"
        );
    }
}
