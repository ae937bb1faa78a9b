//! Requests: chat completions of a given size, no two of which are alike.
//!
//! One repeated body would warm every memo of every gateway and flatter all of them. So prompts are put together
//! from lines of this repository's own prose and code, drawn at random, and each bears a number of its own.

mod random;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::json;

use self::random::Random;

/// Stands where a request's own number goes: as many digits.
const NUMBER: &str = "0123456789abcdef";
/// Bytes of prompts that are kept per size: enough that no cache of a CPU holds them all.
const KEPT_BYTES: usize = 16 << 20;
/// Longest line that is drawn.
const MAX_LINE: usize = 160;

/// Lines to make prompts from.
#[derive(Debug)]
pub struct Corpus {
    lines: Vec<String>,
}

/// Requests of one size.
#[derive(Debug)]
pub struct Prompts {
    templates: Vec<Template>,
    next: u64,
    /// From one number to the next: 1, or 0 for one body again and again.
    step: u64,
}

#[derive(Debug)]
struct Template {
    body: Vec<u8>,
    number_at: usize,
}

// === impl Corpus ===

impl Corpus {
    /// The repository's documentation and source.
    ///
    /// # Errors
    ///
    /// Where they are not there.
    pub fn read(root: &Path) -> Result<Self> {
        let mut lines = Vec::new();
        for folder in [
            "docs",
            "core/src",
            "core/src/dialect",
            "core/src/limit",
            "sidecar/src/http",
        ] {
            let path = root.join(folder);
            let entries = fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            files.sort();
            for file in files.iter().filter(|file| file.is_file()) {
                let text = fs::read_to_string(file).unwrap_or_default();
                let fit = text
                    .lines()
                    .map(str::trim_end)
                    .filter(|line| line.len() > 20 && line.len() < MAX_LINE);
                lines.extend(fit.map(str::to_owned));
            }
        }
        ensure!(
            lines.len() > 1_000,
            "{} has too little text to make prompts from",
            root.display()
        );
        Ok(Self { lines })
    }

    fn text(&self, random: &mut Random, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + MAX_LINE);
        while text.len() < bytes {
            text.push_str(
                self.lines
                    .get(random.below(self.lines.len()))
                    .map_or("", String::as_str),
            );
            text.push('\n');
        }
        while text.len() > bytes {
            text.pop();
        }
        text
    }
}

// === impl Prompts ===

impl Prompts {
    /// Chat completions of about `bytes` bytes.
    pub fn new(corpus: &Corpus, bytes: usize, stream: bool) -> Self {
        let mut random = Random::new(u64::try_from(bytes).unwrap_or(1));
        let count = (KEPT_BYTES / bytes).clamp(64, 4_096);
        let templates = (0..count)
            .map(|_| Template::new(corpus, &mut random, bytes, stream))
            .collect();
        Self {
            templates,
            next: 0,
            step: 1,
        }
    }

    /// One chat completion of about `bytes` bytes, again and again: what it costs where everything is remembered.
    pub fn one(corpus: &Corpus, bytes: usize) -> Self {
        Self {
            step: 0,
            ..Self::new(corpus, bytes, false)
        }
    }

    /// The next request's body.
    pub fn next_body(&mut self) -> Bytes {
        let number = self.next;
        self.next += self.step;
        let index = usize::try_from(number).unwrap_or(0) % self.templates.len().max(1);
        self.templates
            .get(index)
            .map_or_else(Bytes::new, |template| template.numbered(number))
    }
}

// === impl Template ===

impl Template {
    fn new(corpus: &Corpus, random: &mut Random, bytes: usize, stream: bool) -> Self {
        let mut wanted = bytes.saturating_sub(300).max(60);
        let mut body = Self::body(corpus, random, wanted, stream);
        // Quotes and line ends grow when they are written as JSON.
        for _ in 0..4 {
            let over = body.len().saturating_sub(bytes);
            let under = bytes.saturating_sub(body.len());
            wanted = (wanted + under).saturating_sub(over).max(20);
            body = Self::body(corpus, random, wanted, stream);
        }
        let number_at = find(&body, NUMBER.as_bytes()).unwrap_or(0);
        Self { body, number_at }
    }

    /// A conversation: instructions, a question, an answer, and the next question. Half of the requests cap
    /// their output, as clients do or do not.
    fn body(corpus: &Corpus, random: &mut Random, text: usize, stream: bool) -> Vec<u8> {
        let (instructions, first, answer) = (text / 8, text / 4, text / 4);
        let last = text - instructions - first - answer;
        let mut request = json!({
            "model": "gpt-4o-mini",
            "messages": [
                {"role": "system", "content": corpus.text(random, instructions)},
                {"role": "user", "content": corpus.text(random, first)},
                {"role": "assistant", "content": corpus.text(random, answer)},
                {"role": "user", "content": format!("{NUMBER} {}", corpus.text(random, last))},
            ],
            "temperature": 0.7,
        });
        if let Some(fields) = request.as_object_mut() {
            if random.below(2) == 0 {
                fields.insert("max_tokens".to_owned(), json!(256 + random.below(256)));
            }
            if stream {
                fields.insert("stream".to_owned(), json!(true));
                fields.insert("stream_options".to_owned(), json!({"include_usage": true}));
            }
        }
        serde_json::to_vec(&request).unwrap_or_default()
    }

    fn numbered(&self, number: u64) -> Bytes {
        let mut body = self.body.clone();
        let digits = format!("{number:0width$x}", width = NUMBER.len());
        if let Some(place) = body.get_mut(self.number_at..self.number_at + digits.len()) {
            place.copy_from_slice(digits.as_bytes());
        }
        Bytes::from(body)
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tollgate_stack::Repository;

    use super::*;

    #[test]
    fn requests_have_the_size_and_no_two_are_alike() {
        let corpus = Corpus::read(Repository::here().root()).unwrap();
        for size in [10_240, 102_400] {
            let mut prompts = Prompts::new(&corpus, size, false);
            let bodies: HashSet<Bytes> = (0..5_000)
                .map(|_| prompts.next_body())
                .take(10_000_000 / size)
                .collect();
            assert_eq!(bodies.len(), 10_000_000 / size);
            for body in &bodies {
                assert!(
                    body.len().abs_diff(size) < size / 10 + 120,
                    "{} instead of {size}",
                    body.len()
                );
                assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok());
            }
        }
    }

    #[test]
    fn one_body_is_asked_again_and_again_where_that_is_wanted() {
        let corpus = Corpus::read(Repository::here().root()).unwrap();
        let mut prompts = Prompts::one(&corpus, 102_400);
        let first = prompts.next_body();
        assert!((0..100).all(|_| prompts.next_body() == first));
    }
}
