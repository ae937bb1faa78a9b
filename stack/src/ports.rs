//! The four ports of a system.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Tests take their ports from here up: below the range from which the kernel takes the ports of outgoing
/// connections, which could otherwise take the port of a process that is being restarted.
const FIRST_FREE: u16 = 14_000;
const FREE_RANGE: u16 = 16_000;

/// The ports on the loopback interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Where clients come.
    pub gateway: u16,
    /// Envoy's admin.
    pub admin: u16,
    /// The sidecar.
    pub sidecar: u16,
    /// The mock provider.
    pub mock: u16,
}

// === impl Ports ===

impl Ports {
    /// Four ports in a row.
    ///
    /// # Errors
    ///
    /// Where there are not four.
    pub fn from_base(base: u16) -> Result<Self> {
        if base == 0 || base > u16::MAX - 3 {
            bail!("--base-port {base}: four ports in a row are needed, from 1 to 65535");
        }
        Ok(Self {
            gateway: base,
            admin: base + 1,
            sidecar: base + 2,
            mock: base + 3,
        })
    }

    /// Four ports that nobody listens on at this moment. (A moment later somebody may: start again then.)
    ///
    /// # Errors
    ///
    /// Where all are taken.
    pub fn free() -> Result<Self> {
        Ok(Self {
            gateway: free_port()?,
            admin: free_port()?,
            sidecar: free_port()?,
            mock: free_port()?,
        })
    }

    /// Checks that nobody listens on any of them.
    ///
    /// # Errors
    ///
    /// Which port is taken, by whom where that can be seen, and what to do.
    pub fn check_free(self) -> Result<()> {
        let named = [
            ("gateway", self.gateway),
            ("Envoy admin", self.admin),
            ("sidecar", self.sidecar),
            ("mock provider", self.mock),
        ];
        for (name, port) in named {
            if is_free(port) {
                continue;
            }
            let owner = owner::of(port).map_or_else(String::new, |owner| format!(" by {owner}"));
            bail!(
                "port {port} (for the {name}) is taken{owner}: choose others with --base-port, or end what \
                 runs there (`cargo xtask down` if it is Tollgate)"
            );
        }
        Ok(())
    }
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> Result<u16> {
    // Processes begin at different places, so that several test runs seldom meet.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start =
        u16::try_from(std::process::id().wrapping_mul(61) % u32::from(FREE_RANGE)).unwrap_or_default();
    for _ in 0..FREE_RANGE {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST_FREE + start.wrapping_add(step) % FREE_RANGE;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no free port from {FIRST_FREE} to {}", FIRST_FREE + FREE_RANGE)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
}

/// Who listens on a port, as Linux tells it.
mod owner {
    use std::ffi::OsStr;
    use std::fs;
    use std::path::Path;

    /// The state of a listening socket in `/proc/net/tcp` (proc(5)).
    const LISTEN: &str = "0A";

    pub(super) fn of(port: u16) -> Option<String> {
        let table = fs::read_to_string("/proc/net/tcp").ok()?;
        let inode = table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, hex_port) = fields.get(1)?.split_once(':')?;
            let listens = fields.get(3) == Some(&LISTEN) && u16::from_str_radix(hex_port, 16) == Ok(port);
            listens
                .then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))
                .flatten()
        })?;
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let is_process = |name: &OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let owner = processes
            .filter(|entry| is_process(&entry.file_name()))
            .map(|entry| entry.path())
            .find(|process| has_descriptor(process, &inode))?;
        let name = fs::read_to_string(owner.join("comm")).ok()?;
        Some(format!(
            "{} (pid {})",
            name.trim(),
            owner.file_name()?.to_string_lossy()
        ))
    }

    fn has_descriptor(process: &Path, target: &str) -> bool {
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        descriptors
            .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
            .any(|link| link.as_os_str() == target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_owner() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        let ports = Ports {
            mock: taken,
            ..Ports::free().unwrap()
        };
        let message = ports.check_free().unwrap_err().to_string();
        assert!(
            message.contains(&format!("port {taken} (for the mock provider) is taken")),
            "{message}"
        );
        if cfg!(target_os = "linux") {
            assert!(
                message.contains(&format!("(pid {})", std::process::id())),
                "{message}"
            );
        }
    }

    #[test]
    fn a_base_port_leaves_room_for_four() {
        assert!(Ports::from_base(65_533).is_err());
        assert_eq!(Ports::from_base(65_532).unwrap().mock, 65_535);
    }
}
