//! Tollgate as a running system.
