//! A reader at a shell: runs a page's commands one after the other, in the repository's folder.

use std::process::{Command, Output};

use tempfile::TempDir;
use tollgate_stack::ports::Size;
use tollgate_stack::{Repository, wait};
use tollgate_tests::SETTLED;
use tollgate_tests::up::Up;

use super::blocks::Shown;
use super::pattern::fits;

/// What a page says where a reader's own folder is.
const FOLDER: &str = "target/tollgate";
/// How a page starts the system. It is started so, on other ports and in another folder than the page says.
const UP: &str = "cargo xtask up --detach";

/// One reader, with a system of their own from the first command on that needs one.
pub(super) struct Session {
    folder: TempDir,
    system: Option<Up>,
}

// === impl Session ===

impl Session {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            system: None,
        }
    }

    /// Runs a command. What it prints must be what the page shows; where the page shows nothing, it must succeed.
    pub(super) async fn run(&mut self, shown: &Shown) -> Result<(), String> {
        let command = &shown.command;
        if self.system.is_none() && needs_system(command) {
            self.system = Some(Up::start(Size::ONE, &[]).unwrap());
        }
        let is_fine = |output: &Output| match &shown.output {
            Some(expected) => fits(expected, &String::from_utf8_lossy(&output.stdout)),
            None => output.status.success(),
        };
        let mut output = self.output(command);
        if !is_fine(&output) && asks_the_ledger(command) {
            // The gateway sends events in batches: the newest may still be on its way.
            let _ = wait::until(SETTLED, "the ledger does not show it", async || {
                output = self.output(command);
                Ok(is_fine(&output).then_some(()))
            })
            .await;
        }
        if is_fine(&output) {
            return Ok(());
        }
        Err(format!(
            "line {}: {command}\n--- shown\n{}\n--- printed ({})\n{}{}",
            shown.line,
            shown.output.as_deref().unwrap_or("(success)"),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        ))
    }

    fn output(&self, command: &str) -> Output {
        let variables = self.folder.path().join("variables");
        let environment = self.system.as_ref().map(|system| system.data().join("env"));
        let mut script = "set -u\n".to_owned();
        for file in environment
            .iter()
            .chain([&variables])
            .filter(|file| file.exists())
        {
            script.push_str(&format!(". {}\n", file.display()));
        }
        script.push_str(&self.here(command));
        if let Some(name) = assigned(command) {
            // What it was set to, for the commands that follow: it is not run again.
            script.push_str(&format!("\ndeclare -p {name} >> {}", variables.display()));
        }
        Command::new("bash")
            .current_dir(Repository::here().root())
            .env("NO_PROXY", "*")
            .args(["-c", &script])
            .output()
            .unwrap()
    }

    /// The command as this reader types it.
    fn here(&self, command: &str) -> String {
        let Some(system) = &self.system else {
            return command.to_owned();
        };
        let data = system.data().display();
        command
            .replace(UP, ":")
            .replace("cargo xtask down", &format!("cargo xtask down --data {data}"))
            .replace(&format!("{FOLDER}/"), &format!("{data}/"))
    }
}

fn needs_system(command: &str) -> bool {
    [UP, "$GATEWAY", "$SIDECAR"]
        .iter()
        .any(|variable| command.contains(variable))
}

/// Whether a command may be repeated until its answer is complete: it reads from the admin API.
fn asks_the_ledger(command: &str) -> bool {
    command.contains("/admin/v1/") && !command.contains(" -d ") && !command.contains(" -X ")
}

/// The variable that a command sets.
fn assigned(command: &str) -> Option<&str> {
    let (name, _) = command.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_name.then_some(name)
}
