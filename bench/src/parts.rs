//! What each part of governance adds: bare Envoy, a filter that does nothing, one that reads and holds, and Tollgate with
//! one policy more in each. All take turns in the same rounds.

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
use crate::report::size;
use crate::row::floor::{self, Work};
use crate::row::tollgate::{self, Settings};
use crate::row::{KEYS, Kind, Row};

/// What is on, each with all that is on before it.
const PARTS: [Part; 10] = [
    Part::new("Envoy, no policy", What::Bare),
    Part::new(
        "a WebAssembly filter that does nothing",
        What::Filter(Work::Nothing),
    ),
    Part::new("one that only reads and holds", What::Filter(Work::Everything)),
    Part::new(
        "Tollgate: a key of the configuration, usage and cost, tokens estimated",
        What::Tollgate(KEY),
    ),
    Part::new(
        "+ the sidecar: a key of its, an event a request in the ledger",
        What::Tollgate(SIDECAR),
    ),
    Part::new("+ validation", What::Tollgate(VALIDATION)),
    Part::new("+ every token counted", What::Tollgate(TOKENS)),
    Part::new("+ seven limits", What::Tollgate(LIMITS)),
    Part::new("+ three budgets: everything", What::Tollgate(Settings::USUAL)),
    Part {
        title: "everything, but one body again and again",
        what: What::Tollgate(Settings::USUAL),
        varied: false,
    },
];

const KEY: Settings = Settings {
    configured_keys: KEYS,
    sidecar: false,
    validation: false,
    exact_tokens: false,
    limits: false,
    budgets: 0,
    ..Settings::USUAL
};
const SIDECAR: Settings = Settings {
    configured_keys: 0,
    sidecar: true,
    ..KEY
};
const VALIDATION: Settings = Settings {
    validation: true,
    ..SIDECAR
};
const TOKENS: Settings = Settings {
    exact_tokens: true,
    ..VALIDATION
};
const LIMITS: Settings = Settings {
    limits: true,
    ..TOKENS
};

/// One line.
struct Part {
    title: &'static str,
    what: What,
    /// Whether no two bodies are alike.
    varied: bool,
}

/// What its Envoy runs.
enum What {
    Bare,
    Filter(Work),
    Tollgate(Settings),
}

/// What came of one.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    title: &'static str,
    /// Saturated: CPU microseconds a request of Envoy's process, the median over the rounds.
    cpu_us: f64,
    /// Those of bare Envoy's in the same round taken off.
    added_cpu_us: f64,
    /// The smallest and the largest of a round.
    added_cpu_range_us: (f64, f64),
    /// As `added_cpu_us`, beside the line before.
    step_cpu_us: f64,
    requests_per_s: f64,
    /// One connection, beside bare Envoy.
    added_p50_us: f64,
    added_p99_us: f64,
    slices: Vec<Slice>,
}

/// Measures all of it with request bodies of so many bytes.
///
/// # Errors
///
/// Where a row does not start, refuses or fails.
pub(crate) async fn run(
    upstream: SocketAddr,
    corpus: &Corpus,
    plan: &Plan,
    bytes: usize,
    progress: &Progress,
) -> Result<Vec<Cost>> {
    let varied = Rc::new(RefCell::new(Prompts::new(corpus, bytes, false)));
    let alike = Rc::new(RefCell::new(Prompts::one(corpus, bytes)));
    let mut rows = Vec::new();
    for part in PARTS {
        progress.say(&format!("starting {}", part.title));
        let row = part.start(upstream).await.with_context(|| part.title)?;
        let prompts = if part.varied { &varied } else { &alike };
        row.load(prompts, CLIENTS, WARM_UP)
            .await
            .with_context(|| part.title)?;
        rows.push((row, prompts));
    }
    let turns: Vec<_> = rows.iter().map(|(row, prompts)| (row, *prompts)).collect();
    let slices = plan
        .take_turns(&turns, &[1, CLIENTS], bytes, "parts", progress)
        .await?;
    Ok(costs(slices))
}

/// The table, in Markdown.
pub(crate) fn markdown(costs: &[Cost], bytes: usize) -> String {
    let mut out = format!(
        "| bodies of {} | CPU µs a request | added (least to most of a round) | of which by this line \
         | requests/s (8 connections) | p50 added µs (1 connection) | p99 added µs |\n\
         |---|---|---|---|---|---|---|\n",
        size(bytes)
    );
    for (number, cost) in costs.iter().enumerate() {
        let or_dash = |text: String| if number == 0 { "–".to_owned() } else { text };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {} | {:.0} | {} | {} | {:.0} | {} | {} |",
            cost.title,
            cost.cpu_us,
            or_dash(with_range(cost.added_cpu_us, cost.added_cpu_range_us)),
            or_dash(format!("{:+.0}", cost.step_cpu_us)),
            cost.requests_per_s,
            or_dash(format!("{:+.0}", cost.added_p50_us)),
            or_dash(format!("{:+.0}", cost.added_p99_us)),
        );
    }
    out
}

// === impl Part ===

impl Part {
    const fn new(title: &'static str, what: What) -> Self {
        Self {
            title,
            what,
            varied: true,
        }
    }

    async fn start(&self, upstream: SocketAddr) -> Result<Row> {
        match self.what {
            What::Bare => Kind::Bare.start(upstream).await,
            What::Filter(work) => floor::start(upstream, work).await,
            What::Tollgate(settings) => tollgate::start(upstream, settings).await,
        }
    }
}

/// From the slices of each part, bare Envoy's first, which all have the same rounds.
fn costs(parts: Vec<Vec<Slice>>) -> Vec<Cost> {
    let bare = parts.first().cloned().unwrap_or_default();
    let mut before = bare.clone();
    let mut costs = Vec::new();
    for (part, slices) in PARTS.iter().zip(parts) {
        let over = |than: &[Slice], alone: bool, figure: &dyn Fn(&Slice) -> f64| -> Vec<f64> {
            let pairs = slices
                .iter()
                .zip(than)
                .filter(|(own, _)| (own.clients == 1) == alone);
            pairs.map(|(own, than)| figure(own) - figure(than)).collect()
        };
        let added = over(&bare, false, &|slice| slice.cpu_us);
        let saturated = |figure: fn(&Slice) -> f64| {
            let slices = slices.iter().filter(|slice| slice.clients != 1);
            median(slices.map(figure).collect())
        };
        costs.push(Cost {
            title: part.title,
            cpu_us: saturated(|slice| slice.cpu_us),
            added_cpu_range_us: range(&added),
            added_cpu_us: median(added),
            step_cpu_us: median(over(&before, false, &|slice| slice.cpu_us)),
            requests_per_s: saturated(|slice| slice.requests_per_s),
            added_p50_us: median(over(&bare, true, &|slice| slice.p50_us)),
            added_p99_us: median(over(&bare, true, &|slice| slice.p99_us)),
            slices: slices.clone(),
        });
        before = slices;
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(clients: usize, round: usize, cpu_us: f64) -> Slice {
        Slice {
            kind: Kind::Bare,
            bytes: 2_048,
            clients,
            round,
            requests: 1_000,
            requests_per_s: 1_000.0,
            p50_us: cpu_us * 2.0,
            p99_us: cpu_us * 3.0,
            cpu_us,
            stolen_percent: 0.0,
            resident_kib: 0,
        }
    }

    #[test]
    fn a_line_says_what_is_added_to_bare_envoy_and_to_the_line_before() {
        let part = |alone, saturated: [f64; 2]| {
            let [first, second] = saturated;
            vec![slice(1, 0, alone), slice(8, 0, first), slice(8, 1, second)]
        };
        let costs = costs(vec![
            part(50.0, [60.0, 100.0]),
            part(60.0, [70.0, 112.0]),
            part(80.0, [95.0, 135.0]),
        ]);
        let text = markdown(&costs, 2_048);
        assert!(
            text.contains("| Envoy, no policy | 80 | – | – | 1000 | – | – |"),
            "{text}"
        );
        assert!(
            text.contains("nothing | 91 | +11 (+10 to +12) | +11 | 1000 | +20 | +30 |"),
            "{text}"
        );
        assert!(
            text.contains("holds | 115 | +35 (+35 to +35) | +24 | 1000 | +60 | +90 |"),
            "{text}"
        );
    }

    #[test]
    fn each_step_of_tollgate_turns_on_one_thing_until_everything_is() {
        let settings: Vec<Settings> = PARTS
            .iter()
            .filter(|part| part.varied)
            .filter_map(|part| match part.what {
                What::Tollgate(settings) => Some(settings),
                What::Bare | What::Filter(_) => None,
            })
            .collect();
        let on = |settings: &Settings| {
            [
                settings.sidecar,
                settings.validation,
                settings.exact_tokens,
                settings.limits,
                settings.budgets > 0,
            ]
        };
        for (count, settings) in settings.iter().enumerate() {
            assert_eq!(on(settings), [0, 1, 2, 3, 4].map(|at| at < count), "{settings:?}");
        }
        assert_eq!(settings.last(), Some(&Settings::USUAL));
    }
}
