//! What Linux tells of processes, in `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use procfs_core::FromRead as _;
use procfs_core::process::{Stat, Status};

/// Ticks of `/proc/PID/stat` a second (`USER_HZ`, 100 on every Linux of today).
const TICKS: u32 = 100;

/// User and system time of a process with all its threads, dead ones included. In hundredths of a second: what is
/// measured must take seconds.
///
/// # Errors
///
/// Where the process is gone.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = stat(&format!("/proc/{pid}/stat"))?;
    Ok(time(stat.utime + stat.stime))
}

/// [`cpu_time`] of a process and of all its children, those that have ended included.
///
/// # Errors
///
/// Where the process is gone.
pub fn cpu_time_with_children(pid: u32) -> Result<Duration> {
    let own = stat(&format!("/proc/{pid}/stat"))?;
    let ended = u64::try_from(own.cutime + own.cstime).unwrap_or(0);
    let mut ticks = own.utime + own.stime + ended;
    for process in numbers("/proc")? {
        // One that ends meanwhile was counted by its parent, or will be.
        let Ok(child) = stat(&format!("/proc/{process}/stat")) else {
            continue;
        };
        if u32::try_from(child.ppid) == Ok(pid) {
            ticks += child.utime + child.stime;
        }
    }
    Ok(time(ticks))
}

/// Resident memory of a process in KiB.
///
/// # Errors
///
/// Where the process is gone.
pub fn resident_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = Status::from_file(&path).with_context(|| format!("cannot read {path}"))?;
    status.vmrss.with_context(|| format!("{path} has no VmRSS"))
}

/// The threads of a process.
///
/// # Errors
///
/// Where the process is gone.
pub fn threads(pid: u32) -> Result<Vec<i32>> {
    numbers(&format!("/proc/{pid}/task"))
}

/// The scheduling policies of a process's threads, such as 5 for `SCHED_IDLE` (sched(7)).
///
/// # Errors
///
/// Where the process is gone.
pub fn policies(pid: u32) -> Result<Vec<u32>> {
    let threads = threads(pid)?.into_iter();
    let stats = threads.filter_map(|thread| stat(&format!("/proc/{pid}/task/{thread}/stat")).ok());
    Ok(stats.filter_map(|stat| stat.policy).collect())
}

fn time(ticks: u64) -> Duration {
    Duration::from_secs(ticks) / TICKS
}

fn stat(path: &str) -> Result<Stat> {
    Stat::from_file(path).with_context(|| format!("cannot read {path}"))
}

/// The entries of a folder that are numbers.
fn numbers(folder: &str) -> Result<Vec<i32>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {folder}"))?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    Ok(names
        .filter_map(|name| name.to_string_lossy().parse().ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_has_used_memory_and_time_to_the_tick() {
        let pid = std::process::id();
        assert!(resident_kib(pid).unwrap() > 100);
        let before = cpu_time(pid).unwrap();
        let mut sum = 0_u64;
        while cpu_time(pid).unwrap() == before {
            sum = sum.wrapping_mul(31).wrapping_add(7);
        }
        assert!(cpu_time(pid).unwrap() > before, "{sum}");
    }

    #[test]
    fn children_count_when_they_have_ended() {
        let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done";
        let script = format!("sh -c '{busy}'; echo done; read end");
        let mut parent = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = parent.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let (own, all) = (cpu_time(parent.id()), cpu_time_with_children(parent.id()));
        drop(parent.stdin.take());
        parent.wait().unwrap();
        assert!(all.unwrap() > own.unwrap());
    }

    #[test]
    fn every_thread_is_listed() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || ended.recv());
        let pid = std::process::id();
        assert!(threads(pid).unwrap().len() >= 2);
        assert_eq!(policies(pid).unwrap().len(), threads(pid).unwrap().len());
        drop(end);
        assert!(thread.join().unwrap().is_err());
    }
}
