//! The fenced blocks of a Markdown file.

/// A fenced block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
    /// Whether nothing but empty lines stands between it and the block before.
    pub(super) follows: bool,
}

/// A command that a page shows, and what the page says that it prints.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) line: usize,
    pub(super) command: String,
    /// `None` where the page shows no output.
    pub(super) output: Option<String>,
}

/// The fenced blocks of a page, in order.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let (mut open, mut follows) = (None, false);
    for (number, line) in (1..).zip(page.lines()) {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                open = Some(Block {
                    line: number,
                    language: language.trim().to_owned(),
                    text: String::new(),
                    follows,
                });
            }
            (Some(_), Some(_)) => {
                found.extend(open.take());
                follows = true;
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => follows &= line.trim().is_empty(),
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    found
}

/// The commands of the blocks: a `console` block has them after `$ `, each with its output; a `sh` block is one
/// command, and an `http`, `json` or `text` block right after it is its output.
pub(super) fn commands(blocks: &[Block]) -> Vec<Shown> {
    let mut shown = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        match block.language.as_str() {
            "console" => shown.extend(console(block)),
            "sh" => shown.push(Shown {
                line: block.line,
                command: block.text.trim().to_owned(),
                output: blocks
                    .get(index + 1)
                    .filter(|next| next.follows && is_output(&next.language))
                    .map(|next| next.text.clone()),
            }),
            _ => {}
        }
    }
    shown
}

/// Whether a block of this language is what the command before it prints.
pub(super) fn is_output(language: &str) -> bool {
    matches!(language, "http" | "json" | "text")
}

fn console(block: &Block) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut goes_on = false;
    for (line, text) in (block.line + 1..).zip(block.text.lines()) {
        if let Some(command) = text.strip_prefix("$ ") {
            shown.push(Shown {
                line,
                command: command.to_owned(),
                output: None,
            });
        } else {
            let last = shown
                .last_mut()
                .unwrap_or_else(|| panic!("line {line}: output before a command"));
            let place = if goes_on {
                &mut last.command
            } else {
                last.output.get_or_insert_default()
            };
            if goes_on {
                place.push('\n');
            }
            place.push_str(text);
            if !goes_on {
                place.push('\n');
            }
        }
        let is_command = text.starts_with("$ ") || goes_on;
        goes_on = is_command && text.ends_with('\\');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_on_after_a_backslash_and_is_followed_by_its_output() {
        let page = "```console\n$ a \\\n  b\nout\n$ c\n```\n\n```sh\nd\n```\n\n```http\nHTTP\n```\n\nText\n\n```json\n{}\n```\n";
        let found = blocks(page);
        let shown: Vec<(String, Option<String>)> = commands(&found)
            .into_iter()
            .map(|shown| (shown.command, shown.output))
            .collect();
        assert_eq!(
            shown,
            [
                ("a \\\n  b".to_owned(), Some("out\n".to_owned())),
                ("c".to_owned(), None),
                ("d".to_owned(), Some("HTTP\n".to_owned())),
            ]
        );
        assert!(!found[3].follows, "text stands between");
    }
}
