//! From slices to figures: each slice is compared with that of bare Envoy in the same round, and of these
//! differences the median counts. So a round in which the machine was slow is slow for both.

use serde::Serialize;

use crate::plan::Slice;
use crate::row::Kind;

/// What a row costs at one size of body.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    pub(crate) kind: Kind,
    pub(crate) bytes: usize,
    /// One connection.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) added_p50_us: f64,
    pub(crate) added_p99_us: f64,
    pub(crate) p50_ratio: f64,
    /// Saturated.
    pub(crate) requests_per_s: f64,
    pub(crate) cpu_us: f64,
    pub(crate) added_cpu_us: f64,
    /// Added CPU over bare Envoy's.
    pub(crate) added_cpu_ratio: f64,
    /// Smallest and largest `added_cpu_us` of a round.
    pub(crate) added_cpu_range_us: (f64, f64),
    pub(crate) throughput_ratio: f64,
}

/// The figures of all rows and sizes, in the order in which they were measured.
pub(crate) fn compare(slices: &[Slice]) -> Vec<Figures> {
    let mut seen = Vec::new();
    for slice in slices {
        if !seen.contains(&(slice.bytes, slice.kind)) {
            seen.push((slice.bytes, slice.kind));
        }
    }
    seen.into_iter()
        .map(|(bytes, kind)| figures(slices, kind, bytes))
        .collect()
}

fn figures(slices: &[Slice], kind: Kind, bytes: usize) -> Figures {
    let alone: Vec<_> = pairs(slices, kind, bytes, true);
    let saturated: Vec<_> = pairs(slices, kind, bytes, false);
    let over = |of: &[(&Slice, &Slice)], figure: &dyn Fn(&Slice, &Slice) -> f64| {
        median(of.iter().map(|(own, bare)| figure(own, bare)).collect())
    };
    let added_cpu = saturated.iter().map(|(own, bare)| own.cpu_us - bare.cpu_us);
    Figures {
        kind,
        bytes,
        p50_us: over(&alone, &|own, _| own.p50_us),
        p99_us: over(&alone, &|own, _| own.p99_us),
        added_p50_us: over(&alone, &|own, bare| own.p50_us - bare.p50_us),
        added_p99_us: over(&alone, &|own, bare| own.p99_us - bare.p99_us),
        p50_ratio: over(&alone, &|own, bare| own.p50_us / bare.p50_us),
        requests_per_s: over(&saturated, &|own, _| own.requests_per_s),
        cpu_us: over(&saturated, &|own, _| own.cpu_us),
        added_cpu_us: over(&saturated, &|own, bare| own.cpu_us - bare.cpu_us),
        added_cpu_ratio: over(&saturated, &|own, bare| (own.cpu_us - bare.cpu_us) / bare.cpu_us),
        added_cpu_range_us: range(&added_cpu.collect::<Vec<_>>()),
        throughput_ratio: over(&saturated, &|own, bare| own.requests_per_s / bare.requests_per_s),
    }
}

/// A row's slices with bare Envoy's of the same rounds; with themselves where it was not measured.
fn pairs(slices: &[Slice], kind: Kind, bytes: usize, alone: bool) -> Vec<(&Slice, &Slice)> {
    let of = |kind: Kind| {
        slices
            .iter()
            .filter(move |slice| slice.kind == kind && slice.bytes == bytes && (slice.clients == 1) == alone)
    };
    of(kind)
        .map(|own| {
            (
                own,
                of(Kind::Bare).find(|bare| bare.round == own.round).unwrap_or(own),
            )
        })
        .collect()
}

/// The smallest and the largest.
pub(crate) fn range(values: &[f64]) -> (f64, f64) {
    (
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}

/// The middle one; the mean of the middle two. 0 of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    if values.len() % 2 == 1 {
        at(half)
    } else {
        f64::midpoint(at(half.saturating_sub(1)), at(half))
    }
}

/// A difference as tables show it, with the least and the most of a round.
pub(crate) fn with_range(difference: f64, (least, most): (f64, f64)) -> String {
    format!("{difference:+.0} ({least:+.0} to {most:+.0})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(kind: Kind, round: usize, cpu_us: f64) -> Slice {
        Slice {
            kind,
            bytes: 2_048,
            clients: 8,
            round,
            requests: 1_000,
            requests_per_s: 1_000.0,
            p50_us: 1.0,
            p99_us: 2.0,
            cpu_us,
            stolen_percent: 0.0,
            resident_kib: 0,
        }
    }

    #[test]
    fn a_round_in_which_the_machine_was_slow_is_compared_with_itself() {
        let slices = [
            slice(Kind::Bare, 0, 100.0),
            slice(Kind::Tollgate, 0, 130.0),
            slice(Kind::Bare, 1, 200.0),
            slice(Kind::Tollgate, 1, 240.0),
            slice(Kind::Bare, 2, 100.0),
            slice(Kind::Tollgate, 2, 135.0),
        ];
        let figures = compare(&slices);
        let tollgate = figures.iter().find(|row| row.kind == Kind::Tollgate).unwrap();
        assert!((tollgate.added_cpu_us - 35.0).abs() < 1e-9);
        assert_eq!(tollgate.added_cpu_range_us, (30.0, 40.0));
        assert!((tollgate.added_cpu_ratio - 0.3).abs() < 1e-9);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }
}
