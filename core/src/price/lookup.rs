//! Names of models: which entries of a catalogue a name may mean.

/// Makers whose own models LiteLLM lists under a prefix.
const MAKERS: [&str; 5] = ["gemini/", "groq/", "mistral/", "deepseek/", "xai/"];
/// How many prefixes and versions are taken off a name, at most.
const MAX_STEPS: usize = 4;
/// Lengths of the groups of digits that end a dated name: `-2024-08-06`, `-09-2025`, `-2025-08`, `-20250929`,
/// `-250929`, `-0613` and `-2512`, `-001`.
const DATES: [&[usize]; 7] = [&[4, 2, 2], &[2, 4], &[4, 2], &[8], &[6], &[4], &[3]];

/// The first entry that a name may mean, from the closest reading to the widest.
pub(super) fn find<'a, T>(model: &str, get: impl Fn(&str) -> Option<&'a T>) -> Option<&'a T> {
    let known =
        |name: &str| get(name).or_else(|| MAKERS.iter().find_map(|maker| get(&format!("{maker}{name}"))));
    let bare = || {
        std::iter::successors(Some(model), |name| name.split_once('/').map(|(_, rest)| rest)).take(MAX_STEPS)
    };
    let bases = |name| std::iter::successors(undated(name), |base| undated(base)).take(MAX_STEPS);
    bare()
        .find_map(known)
        .or_else(|| bare().flat_map(bases).find_map(known))
}

/// A name without the date or version at its end.
fn undated(name: &str) -> Option<&str> {
    if let Some(base) = name.strip_prefix("ft:").and_then(|tuned| tuned.split_once(':')) {
        return name.get(.."ft:".len() + base.0.len());
    }
    if let Some((base, _)) = name.split_once('@') {
        return Some(base);
    }
    // Anthropic's alias of a first version: `claude-sonnet-4-0`.
    name.strip_suffix("-latest")
        .or_else(|| name.strip_suffix("-0"))
        .or_else(|| DATES.iter().find_map(|groups| without(name, groups)))
        .filter(|base| !base.is_empty())
}

/// A name without groups of digits of these lengths, each after a hyphen.
fn without<'a>(name: &'a str, groups: &[usize]) -> Option<&'a str> {
    groups.iter().rev().try_fold(name, |rest, length| {
        let (before, group) = rest.rsplit_once('-')?;
        let fits = group.len() == *length && group.bytes().all(|byte| byte.is_ascii_digit());
        fits.then_some(before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 8] = [
        "gpt-4o",
        "gpt-4o-2024-05-13",
        "gpt-4",
        "claude-sonnet-4-5",
        "gemini/gemini-2.5-flash",
        "groq/openai/gpt-oss-120b",
        "ft:gpt-4o-2024-08-06",
        "mistral/mistral-large",
    ];

    fn found(name: &str) -> Option<&'static str> {
        find(name, |candidate| KNOWN.iter().find(|known| **known == candidate)).copied()
    }

    #[test]
    fn a_name_means_the_closest_entry() {
        for (name, entry) in [
            ("gpt-4o", "gpt-4o"),
            ("openai/gpt-4o", "gpt-4o"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
            ("openai/gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4-0613", "gpt-4"),
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
            ("models/gemini-2.5-flash", "gemini/gemini-2.5-flash"),
            ("gemini-2.5-flash-001", "gemini/gemini-2.5-flash"),
            ("openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
            ("ft:gpt-4o-2024-08-06:acme::abc123", "ft:gpt-4o-2024-08-06"),
            ("claude-sonnet-4-5-0", "claude-sonnet-4-5"),
            ("mistral-large-latest", "mistral/mistral-large"),
            ("mistral-large-2512", "mistral/mistral-large"),
        ] {
            assert_eq!(found(name), Some(entry), "{name}");
        }
    }

    #[test]
    fn a_name_never_means_its_family() {
        for name in [
            "gpt-4o-mini",
            "gpt-4o-mini-2024-07-18",
            "gpt-4o-20",
            "gpt-5",
            "gpt-4o-audio-2024-08-06",
            "",
            "/",
            "-latest",
        ] {
            assert_eq!(found(name), None, "{name}");
        }
    }
}
