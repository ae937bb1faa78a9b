//! What Tollgate costs as what it looks after grows: keys, limits, budgets, workers. Each size is a Tollgate of its
//! own; they take turns, with bare Envoy among them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tollgate_bench_prompts::{Corpus, Prompts};

use crate::compare::{median, range, with_range};
use crate::plan::{CLIENTS, Plan, Slice, WARM_UP};
use crate::progress::Progress;
use crate::row::Kind;
use crate::row::tollgate::{self, Settings};

/// Bytes of request bodies.
const BYTES: usize = 2_048;

const QUESTIONS: [Question; 5] = [
    Question {
        title: "keys in the configuration, each used in turn",
        sizes: &[100, 1_000, 10_000, 100_000],
        settings: |keys| Settings {
            configured_keys: keys,
            ..Settings::USUAL
        },
    },
    Question {
        title: "limits, of which seven apply to a request",
        sizes: &[7, 25, 50, 100],
        settings: |limits| Settings {
            more_limits: limits - 7,
            ..Settings::USUAL
        },
    },
    Question {
        title: "limits that all apply to a request",
        sizes: &[7, 25, 50, 100],
        settings: |limits| Settings {
            more_limits: limits - 7,
            more_limits_apply: true,
            ..Settings::USUAL
        },
    },
    Question {
        title: "budgets a request is paid from",
        sizes: &[0, 1, 2, 4, 8],
        settings: |budgets| Settings {
            budgets,
            ..Settings::USUAL
        },
    },
    Question {
        title: "workers on one core",
        sizes: &[1, 2, 4, 8],
        settings: |workers| Settings {
            workers: u32::try_from(workers).unwrap_or(1),
            ..Settings::USUAL
        },
    },
];

/// What grows.
struct Question {
    title: &'static str,
    sizes: &'static [usize],
    settings: fn(usize) -> Settings,
}

/// What came of one.
#[derive(Debug, Serialize)]
pub(crate) struct Growth {
    title: &'static str,
    points: Vec<Point>,
}

/// One size.
#[derive(Debug, Serialize)]
struct Point {
    size: usize,
    /// CPU microseconds a request of Envoy's process, those of bare Envoy's in the same round taken off: the median.
    added_cpu_us: f64,
    /// The smallest and the largest of a round.
    added_cpu_range_us: (f64, f64),
    resident_kib: u64,
}

// === impl Growth ===

impl Growth {
    fn markdown(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n| {} | added CPU µs a request (least to most of a round) | resident, MB |\n|---|---|---|\n",
            self.title
        );
        for point in &self.points {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                point.size,
                with_range(point.added_cpu_us, point.added_cpu_range_us),
                point.resident_kib.div_ceil(1_024)
            );
        }
        let list = |of: &dyn Fn(&Point) -> String| {
            let texts: Vec<String> = self.points.iter().map(of).collect();
            texts.join(", ")
        };
        let _ = write!(
            out,
            "\n```mermaid\nxychart-beta\n    title \"Added CPU a request, by {}\"\n    x-axis [{}]\n    \
             y-axis \"µs\" 0 --> {:.0}\n    line [{}]\n```\n",
            self.title,
            list(&|point| point.size.to_string()),
            self.points
                .iter()
                .map(|point| point.added_cpu_us * 1.2)
                .fold(1.0, f64::max),
            list(&|point| format!("{:.0}", point.added_cpu_us)),
        );
    }
}

/// Measures everything.
///
/// # Errors
///
/// Where a row does not start, refuses or fails.
pub(crate) async fn run(
    upstream: SocketAddr,
    corpus: &Corpus,
    plan: &Plan,
    progress: &Progress,
) -> Result<Vec<Growth>> {
    let mut found = Vec::new();
    for question in QUESTIONS {
        found.push(
            question
                .answer(upstream, corpus, plan, progress)
                .await
                .with_context(|| format!("by {}", question.title))?,
        );
    }
    Ok(found)
}

/// The tables and charts, in Markdown.
pub(crate) fn markdown(found: &[Growth]) -> String {
    let mut out = String::new();
    for growth in found {
        growth.markdown(&mut out);
    }
    out
}

// === impl Question ===

impl Question {
    async fn answer(
        &self,
        upstream: SocketAddr,
        corpus: &Corpus,
        plan: &Plan,
        progress: &Progress,
    ) -> Result<Growth> {
        progress.say(&format!("by {}: starting", self.title));
        let mut rows = vec![Kind::Bare.start(upstream).await?];
        for &size in self.sizes {
            rows.push(tollgate::start(upstream, (self.settings)(size)).await?);
        }
        let prompts = Rc::new(RefCell::new(Prompts::new(corpus, BYTES, false)));
        for row in &rows {
            row.load(&prompts, CLIENTS, WARM_UP).await?;
        }
        let turns: Vec<_> = rows.iter().map(|row| (row, &prompts)).collect();
        let what = format!("by {}", self.title);
        let slices = plan
            .take_turns(&turns, &[CLIENTS], BYTES, &what, progress)
            .await?;
        let mut slices = slices.into_iter();
        let bare = slices.next().unwrap_or_default();
        let points = self.sizes.iter().zip(slices);
        Ok(Growth {
            title: self.title,
            points: points
                .map(|(&size, slices)| Point::of(size, &slices, &bare))
                .collect(),
        })
    }
}

// === impl Point ===

impl Point {
    /// From the slices of a Tollgate of this size, and those of bare Envoy in the same rounds.
    fn of(size: usize, slices: &[Slice], bare: &[Slice]) -> Self {
        let rounds = slices.iter().zip(bare);
        let added: Vec<f64> = rounds.map(|(own, bare)| own.cpu_us - bare.cpu_us).collect();
        Self {
            size,
            added_cpu_range_us: range(&added),
            added_cpu_us: median(added),
            resident_kib: slices.last().map_or(0, |slice| slice.resident_kib),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_what_its_question_asks_for() {
        for question in QUESTIONS {
            for &size in question.sizes {
                let settings = (question.settings)(size);
                let is = [
                    settings.configured_keys,
                    settings.more_limits + 7,
                    settings.budgets,
                    settings.workers as usize,
                ];
                assert!(is.contains(&size), "{}: {size} is none of {is:?}", question.title);
            }
        }
    }

    #[test]
    fn a_table_and_a_chart_come_of_it() {
        let point = |size, added_cpu_us| Point {
            size,
            added_cpu_us,
            added_cpu_range_us: (added_cpu_us - 1.0, added_cpu_us + 2.0),
            resident_kib: 2_047,
        };
        let text = markdown(&[Growth {
            title: "keys",
            points: vec![point(100, 50.0), point(1_000, 60.0)],
        }]);
        assert!(text.contains("| 1000 | +60 (+59 to +62) | 2 |"), "{text}");
        assert!(text.contains("x-axis [100, 1000]"), "{text}");
        assert!(text.contains("y-axis \"µs\" 0 --> 72"), "{text}");
        assert!(text.contains("line [50, 60]"), "{text}");
    }
}
