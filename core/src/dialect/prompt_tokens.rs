//! Prompt tokens.
