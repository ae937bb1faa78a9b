//! Two systems on one machine, as `cargo xtask up --base-port` runs them.

use std::process::Command;

use tollgate_stack::ports::Size;
use tollgate_stack::process;
use tollgate_stack::up_file::UpFile;
use tollgate_tests::up::{Up, xtask};

fn status(up: &UpFile) -> String {
    let output = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
        .arg(format!("{}/v1/models", up.gateway))
        .arg("-H")
        .arg(format!("authorization: Bearer {}", up.keys["unlimited"]))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn two_systems_live_side_by_side_and_down_ends_one() {
    let (first, second) = (
        Up::start(Size::ONE, &[]).unwrap(),
        Up::start(Size::ONE, &[]).unwrap(),
    );
    assert_eq!(
        (status(&first.file), status(&second.file)),
        ("200".to_owned(), "200".to_owned())
    );

    let again = xtask(&["up", "--detach", "--data", first.data().to_str().unwrap()]).unwrap();
    assert!(
        !again.status.success(),
        "a second `up` into one folder must be refused"
    );
    assert!(String::from_utf8_lossy(&again.stderr).contains("it is up already"));

    first.down().unwrap();
    for (program, pid) in first.file.processes() {
        assert!(!process::runs(pid, program), "{program} still runs");
    }
    assert_eq!(status(&second.file), "200");
}
