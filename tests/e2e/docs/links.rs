//! Links between pages: what they point to is there.

use std::path::Path;

/// The links of a page that lead nowhere. `page` is its path, `text` what it says.
pub(super) fn broken(root: &Path, page: &str, text: &str) -> Vec<String> {
    let folder = root.join(page);
    let folder = folder.parent().unwrap_or(root);
    let targets = prose(text)
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next().map(str::to_owned))
        .collect::<Vec<_>>();
    let mut broken = Vec::new();
    for target in targets {
        let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        if is_elsewhere || leads_somewhere(root, folder, file, anchor, text) {
            continue;
        }
        broken.push(format!("{page}: {target}"));
    }
    broken
}

fn leads_somewhere(root: &Path, folder: &Path, file: &str, anchor: &str, own: &str) -> bool {
    let path = folder.join(file);
    let is_inside = path.canonicalize().is_ok_and(|path| path.starts_with(root));
    if !file.is_empty() && !is_inside {
        return false;
    }
    if anchor.is_empty() {
        return true;
    }
    let text = if file.is_empty() {
        own.to_owned()
    } else {
        std::fs::read_to_string(path).unwrap_or_default()
    };
    prose(&text)
        .lines()
        .filter(|line| line.starts_with('#'))
        .any(|heading| anchor_of(heading) == anchor)
}

/// The anchor that a heading gets on the forges that render Markdown.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The page without its fenced blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::write(root.join("there.md"), "# A `b.c` heading\n").unwrap();
        let page = "# Own\n[a](there.md) [b](there.md#a-bc-heading) [c](#own) [d](https://x)\n\
                    [e](gone.md) [f](there.md#gone) [g](#gone)\n```\n[h](gone.md)\n```\n";
        assert_eq!(
            broken(&root, "page.md", page),
            ["page.md: gone.md", "page.md: there.md#gone", "page.md: #gone"]
        );
    }
}
