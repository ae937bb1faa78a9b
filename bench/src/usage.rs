//! What a process has used, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Ticks of `/proc/PID/stat` a second (`USER_HZ`, 100 on every Linux of today).
const TICKS: u32 = 100;

/// User and system time of a process with all its threads, dead ones included. In hundredths of a second: what
/// is measured must take seconds.
///
/// # Errors
///
/// Where the process is gone.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name in parentheses may hold anything; fields 14 and 15 are counted from behind it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let total: u32 = ticks
        .sum::<Result<u32, _>>()
        .with_context(|| format!("{path} is not as expected"))?;
    Ok(Duration::from_secs(total.into()) / TICKS)
}

/// Resident memory in KiB.
///
/// # Errors
///
/// Where the process is gone.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("{path} has no VmRSS"))
}

#[cfg(test)]
mod tests {
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
}
