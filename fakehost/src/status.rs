//! Statuses that host calls return.

/// The statuses of the proxy-wasm ABI 0.2.1 that the SDK knows. (Its `Status` is a Rust enum: a host that
/// returned any other number would make undefined behaviour of it, so this one never does.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// No such key, property, metric, buffer or queue.
    NotFound = 1,
    /// Wrong phase, wrong range, unknown cluster.
    BadArgument = 2,
    /// A property could not be serialised.
    SerializationFailure = 3,
    /// Bytes from the filter could not be parsed.
    ParseFailure = 4,
    /// A queue without entries.
    Empty = 7,
    /// Another worker changed the shared data first.
    CasMismatch = 8,
    /// The host could not do it; for a callout: the cluster has no hosts.
    InternalFailure = 10,
}

/// What a host call returns.
pub(crate) type Outcome = Result<(), Status>;
