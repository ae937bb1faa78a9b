//! The table of streams.

use std::fmt::Write as _;

use super::{SHAPES, StreamSlice};
use crate::compare::median;
use crate::row::Kind;

/// Writes the tables, one a shape.
pub(crate) fn write(out: &mut String, slices: &[StreamSlice]) {
    for shape in SHAPES {
        let mut kinds = Vec::new();
        for slice in slices.iter().filter(|slice| slice.shape == shape.name) {
            if !kinds.contains(&slice.kind) {
                kinds.push(slice.kind);
            }
        }
        if kinds.is_empty() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n**{}**\n\n\
             | | first event, added µs (p50) | (p99) | gap between events, p99 µs | an event's delay, added µs (p50) | (p99) | CPU µs an event | added | events lost |\n\
             |---|---|---|---|---|---|---|---|---|\n",
            shape.name
        );
        for kind in kinds {
            line(out, slices, kind, shape.name);
        }
    }
}

fn line(out: &mut String, slices: &[StreamSlice], kind: Kind, shape: &str) {
    let of = |kind: Kind| {
        slices
            .iter()
            .filter(move |slice| slice.kind == kind && slice.shape == shape)
    };
    let middle = |figure: &dyn Fn(&StreamSlice) -> f64| median(of(kind).map(figure).collect());
    let added = |figure: &dyn Fn(&StreamSlice) -> f64| {
        let differences = of(kind).filter_map(|own| {
            let bare = of(Kind::Bare).find(|bare| bare.round == own.round)?;
            Some(figure(own) - figure(bare))
        });
        let difference = median(differences.collect());
        if kind == Kind::Bare {
            "–".to_owned()
        } else {
            format!("{difference:+.1}")
        }
    };
    let _ = writeln!(
        out,
        "| {} | {} | {} | {:.0} | {} | {} | {:.2} | {} | {} |",
        kind.title(),
        added(&|slice| slice.first_p50_us),
        added(&|slice| slice.first_p99_us),
        middle(&|slice| slice.gap_p99_us),
        added(&|slice| slice.delay_p50_us),
        added(&|slice| slice.delay_p99_us),
        middle(&|slice| slice.cpu_us),
        added(&|slice| slice.cpu_us),
        of(kind).map(|slice| slice.lost).sum::<u64>(),
    );
}
