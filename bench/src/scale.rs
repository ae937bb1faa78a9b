//! What Tollgate costs as what it looks after grows: keys, limits, budgets, workers. Each size is a Tollgate of its
//! own; they take turns, with bare Envoy among them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tollgate_bench_prompts::{Corpus, Prompts};
use tollgate_stack::proc;

use crate::compare::{median, range, with_range};
use crate::plan::{CLIENTS, WARM_UP};
use crate::progress::Progress;
use crate::row::tollgate::{self, Settings};
use crate::row::{Kind, Row};

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

/// Measures everything, in so many rounds of so many seconds.
///
/// # Errors
///
/// Where a row does not start, refuses or fails.
pub(crate) async fn run(
    upstream: SocketAddr,
    corpus: &Corpus,
    rounds: usize,
    slice_s: f64,
    progress: &Progress,
) -> Result<Vec<Growth>> {
    let mut found = Vec::new();
    for question in QUESTIONS {
        found.push(
            question
                .answer(upstream, corpus, rounds, slice_s, progress)
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
        rounds: usize,
        slice_s: f64,
        progress: &Progress,
    ) -> Result<Growth> {
        progress.say(&format!("by {}: starting", self.title));
        let bare = Kind::Bare.start(upstream).await?;
        let mut rows = Vec::new();
        for &size in self.sizes {
            let settings = (self.settings)(size);
            rows.push((size, tollgate::start(upstream, settings).await?));
        }
        let prompts = Rc::new(RefCell::new(Prompts::new(corpus, BYTES, false)));
        for row in std::iter::once(&bare).chain(rows.iter().map(|(_, row)| row)) {
            row.load(&prompts, CLIENTS, WARM_UP).await?;
        }
        let span = Duration::from_secs_f64(slice_s);
        let cpu_us = async |row: &Row, round| -> Result<f64> {
            Ok(row.slice(&prompts, CLIENTS, span, round, BYTES).await?.cpu_us)
        };
        let mut added: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
        for round in 0..rounds {
            progress.say(&format!("by {}: round {} of {rounds}", self.title, round + 1));
            let floor = cpu_us(&bare, round).await?;
            for ((_, row), added) in rows.iter().zip(&mut added) {
                added.push(cpu_us(row, round).await? - floor);
            }
        }
        let points = rows.iter().zip(added).map(|((size, row), added)| {
            Ok(Point {
                size: *size,
                added_cpu_range_us: range(&added),
                added_cpu_us: median(added),
                resident_kib: proc::resident_kib(row.pid)?,
            })
        });
        Ok(Growth {
            title: self.title,
            points: points.collect::<Result<_>>()?,
        })
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
