//! What a page shows of an output: `…` stands for anything.

/// Whether an output is as the page shows it. White space at the ends of lines and of the whole does not count.
pub(super) fn fits(shown: &str, output: &str) -> bool {
    let (shown, output) = (tidy(shown), tidy(output));
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = output.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_anything_and_the_rest_for_itself() {
        for (shown, output, expected) in [
            ("a", "a\r\n", true),
            ("a…", "a b\nc", true),
            ("a…c", "a b\nc", true),
            ("a…b…c", "axbyc", true),
            ("a…c", "a b", false),
            ("a", "ab", false),
            ("…", "", true),
            ("a…a", "a", false),
            ("{\"x\":…}\n", "{\"x\":1}", true),
        ] {
            assert_eq!(fits(shown, output), expected, "{shown} {output}");
        }
    }
}
