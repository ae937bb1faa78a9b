//! What goes to the terminal.

use std::io::Write;

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::Value;

use super::api::Failure;
use super::table::{Column, facts, table};

/// Writes a line to standard output.
pub(super) fn say(line: &str) -> Result<(), Failure> {
    let written = writeln!(std::io::stdout(), "{line}");
    Ok(written.context("cannot write to standard output")?)
}

/// Writes a line to standard error. Nobody is left to tell where that is closed.
pub(super) fn warn(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Shows one thing.
pub(super) fn show(json: bool, thing: &Value) -> Result<(), Failure> {
    if json {
        return say(&pretty(thing)?);
    }
    if thing.is_null() {
        Ok(())
    } else {
        say(&facts(thing))
    }
}

/// Shows rows: a table, or a JSON array.
pub(super) fn show_rows(json: bool, columns: &[Column], rows: &[Value]) -> Result<(), Failure> {
    if json {
        return say(&pretty(&rows)?);
    }
    say(&table(columns, rows))
}

fn pretty(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(value).context("cannot write JSON")?)
}

/// An id as a part of a path, whatever is in it.
pub(super) fn segment(id: &str) -> String {
    // Pluses are spaces in forms only.
    form_urlencoded::byte_serialize(id.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// A value as the command line, and so the API, spells it.
pub(super) fn spelled<T: ValueEnum + Copy>(value: T) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
