//! The ports of a system.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context as _, Result, bail};

/// Tests take their ports from here up: below the range from which the kernel takes the ports of outgoing
/// connections, which could otherwise take the port of a process that is being restarted.
const FIRST_FREE: u16 = 14_000;
const FREE_RANGE: u16 = 16_000;
/// From a gateway's ports to those of the next one, and from a sidecar's port to that of the next.
const STRIDE: u16 = 10;

/// How many of what a system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Envoys.
    pub gateways: u16,
    /// Sidecars, all on one ledger.
    pub sidecars: u16,
    /// Whether there is a PostgreSQL server.
    pub postgres: bool,
}

/// The ports on the loopback interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// Of each gateway.
    pub gateways: Vec<GatewayPorts>,
    /// Of each sidecar.
    pub sidecars: Vec<u16>,
    /// The mock provider's.
    pub mock: u16,
    /// PostgreSQL's, where there is one.
    pub postgres: Option<u16>,
}

/// The ports of one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayPorts {
    /// Where clients come.
    pub clients: u16,
    /// Envoy's admin.
    pub admin: u16,
}

// === impl Size ===

impl Size {
    /// One of each, and no PostgreSQL.
    pub const ONE: Self = Self {
        gateways: 1,
        sidecars: 1,
        postgres: false,
    };
}

// === impl Ports ===

impl Ports {
    /// The documented ones: from `base` on the first gateway, its admin, the first sidecar, the mock provider and
    /// PostgreSQL; each further gateway and sidecar 10 ports after the one before.
    ///
    /// # Errors
    ///
    /// Where there are not so many.
    pub fn from_base(base: u16, size: Size) -> Result<Self> {
        let last = size.gateways.max(size.sidecars).saturating_sub(1);
        let highest = STRIDE
            .checked_mul(last)
            .and_then(|more| base.checked_add(more)?.checked_add(4));
        if base == 0 || highest.is_none() {
            bail!("--base-port {base}: there are not enough ports from there to 65535");
        }
        let at = |number: u16, offset: u16| base + STRIDE * number + offset;
        Ok(Self {
            gateways: (0..size.gateways)
                .map(|number| GatewayPorts {
                    clients: at(number, 0),
                    admin: at(number, 1),
                })
                .collect(),
            sidecars: (0..size.sidecars).map(|number| at(number, 2)).collect(),
            mock: at(0, 3),
            postgres: size.postgres.then(|| at(0, 4)),
        })
    }

    /// Ports that nobody listens on at this moment. (A moment later somebody may: start again then.)
    ///
    /// # Errors
    ///
    /// Where all are taken.
    pub fn free(size: Size) -> Result<Self> {
        let gateway = |_| {
            Ok(GatewayPorts {
                clients: free_port()?,
                admin: free_port()?,
            })
        };
        Ok(Self {
            gateways: (0..size.gateways).map(gateway).collect::<Result<_>>()?,
            sidecars: (0..size.sidecars).map(|_| free_port()).collect::<Result<_>>()?,
            mock: free_port()?,
            postgres: size.postgres.then(free_port).transpose()?,
        })
    }

    /// The first of so many ports on end that nobody listens on at this moment, for [`Self::from_base`]. None of them
    /// is given out again by this process, so that systems that start side by side do not meet.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn free_base(size: Size) -> Result<u16> {
        let span = STRIDE * size.gateways.max(size.sidecars);
        free_run(span)
    }

    /// Checks that nobody listens on any of them.
    ///
    /// # Errors
    ///
    /// Which port is taken, by whom where that can be seen, and what to do.
    pub fn check_free(&self) -> Result<()> {
        for (name, port) in self.named() {
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

    /// Of a gateway by its number, from 0.
    ///
    /// # Errors
    ///
    /// Where there is no such gateway.
    pub fn gateway(&self, number: usize) -> Result<GatewayPorts> {
        let found = self.gateways.get(number).copied();
        found.with_context(|| format!("there is no gateway {number} of {}", self.gateways.len()))
    }

    /// Of a sidecar by its number, from 0.
    pub(crate) fn sidecar(&self, number: usize) -> Result<u16> {
        let found = self.sidecars.get(number).copied();
        found.with_context(|| format!("there is no sidecar {number} of {}", self.sidecars.len()))
    }

    /// All of them, with what they are for.
    pub(crate) fn named(&self) -> Vec<(&'static str, u16)> {
        let gateways = self
            .gateways
            .iter()
            .flat_map(|ports| [("gateway", ports.clients), ("Envoy admin", ports.admin)]);
        let sidecars = self.sidecars.iter().map(|port| ("sidecar", *port));
        let postgres = self.postgres.map(|port| ("PostgreSQL server", port));
        gateways
            .chain(sidecars)
            .chain([("mock provider", self.mock)])
            .chain(postgres)
            .collect()
    }
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> Result<u16> {
    free_run(1)
}

/// The first of `length` ports on end that nobody listens on at this moment.
fn free_run(length: u16) -> Result<u16> {
    // Processes begin at different places, so that several test runs seldom meet.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start =
        u16::try_from(std::process::id().wrapping_mul(61) % u32::from(FREE_RANGE)).unwrap_or_default();
    for _ in 0..FREE_RANGE {
        let step = NEXT.fetch_add(length, Ordering::Relaxed);
        let first = FIRST_FREE + start.wrapping_add(step) % FREE_RANGE;
        if (first..first + length).all(is_free) {
            return Ok(first);
        }
    }
    bail!(
        "no {length} free ports on end from {FIRST_FREE} to {}",
        FIRST_FREE + FREE_RANGE
    )
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
            ..Ports::free(Size::ONE).unwrap()
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
    fn what_a_base_port_stands_for_is_given_to_nobody_else() {
        let base = Ports::free_base(Size::ONE).unwrap();
        let of_the_base = Ports::from_base(base, Size::ONE).unwrap();
        let others = Ports::free(Size::ONE).unwrap();
        for (name, port) in of_the_base.named() {
            let also = others.named().into_iter().find(|(_, other)| *other == port);
            assert_eq!(also, None, "the {name}'s port");
        }
    }

    #[test]
    fn a_base_port_leaves_room_for_all() {
        let two = Size {
            gateways: 2,
            ..Size::ONE
        };
        assert!(Ports::from_base(0, Size::ONE).is_err());
        assert!(Ports::from_base(65_532, Size::ONE).is_err());
        assert_eq!(Ports::from_base(65_531, Size::ONE).unwrap().mock, 65_534);
        assert!(Ports::from_base(65_522, two).is_err());
        assert!(Ports::from_base(65_521, two).is_ok());
    }

    #[test]
    fn the_documented_ports_of_a_larger_system() {
        let size = Size {
            gateways: 2,
            sidecars: 3,
            postgres: true,
        };
        let ports = Ports::from_base(10_000, size).unwrap();
        let gateways: Vec<_> = ports
            .gateways
            .iter()
            .map(|gateway| (gateway.clients, gateway.admin))
            .collect();
        assert_eq!(gateways, [(10_000, 10_001), (10_010, 10_011)]);
        assert_eq!(ports.sidecars, [10_002, 10_012, 10_022]);
        assert_eq!((ports.mock, ports.postgres), (10_003, Some(10_004)));
    }
}
