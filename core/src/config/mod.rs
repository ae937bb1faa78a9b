//! The plugin's configuration: written as strict [`spec`] types, compiled into a [`Config`] that cannot hold
//! an invalid value.

mod duration;
mod fault;

pub use duration::Span;
pub use fault::Fault;
