//! What the API answers, as tables for people.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::Value;

/// What stands where there is nothing.
const NOTHING_THERE: &str = "–";

/// A column: its title, and where in a row its value is (a JSON Pointer).
pub(super) type Column = (&'static str, &'static str);

/// A table of rows. Numbers stand at the right.
pub(super) fn table(columns: &[Column], rows: &[Value]) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(columns.iter().map(|(title, _)| title.to_uppercase()));
    for row in rows {
        table.add_row(columns.iter().map(|(_, pointer)| text(row.pointer(pointer))));
    }
    for (at, (_, pointer)) in columns.iter().enumerate() {
        let is_number = |row: &Value| row.pointer(pointer).is_some_and(is_number);
        if let Some(column) = table.column_mut(at) {
            column.set_padding((0, 2));
            if !rows.is_empty() && rows.iter().all(is_number) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table.trim_fmt()
}

/// All fields of one thing, one in a line.
pub(super) fn facts(thing: &Value) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    for (name, value) in thing.as_object().into_iter().flatten() {
        table.add_row([name.clone(), text(Some(value))]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok())
}

/// A value in a cell. What a terminal would obey is made visible: names are chosen by clients.
fn text(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return NOTHING_THERE.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) if values.iter().all(Value::is_string) => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            texts.join(", ")
        }
        Some(other) => other.to_string(),
    };
    if text.is_empty() {
        return NOTHING_THERE.to_owned();
    }
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_stand_under_their_titles_and_numbers_at_the_right() {
        let rows = [
            json!({"id": "a", "n": 5, "models": ["x", "y"]}),
            json!({"id": "bb", "n": 10, "models": []}),
        ];
        let shown = table(&[("id", "/id"), ("count", "/n"), ("models", "/models")], &rows);
        assert_eq!(shown, "ID  COUNT  MODELS\na       5  x, y\nbb     10  –");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert!(!facts(&json!({"name": "\u{1b}[2J"})).contains('\u{1b}'));
    }
}
