//! Of which rollups a period is made: the longest that fit into it, and shorter ones at its ends.

use super::{Interval, STEPS, start};

/// Rollups of one length, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Their length in milliseconds.
    pub(super) step: i64,
    /// When the first begins.
    pub(super) from: i64,
    /// When the last ends, or later.
    pub(super) to: i64,
}

/// What a period of whole intervals is made of, in the order of time.
pub(super) fn pieces(interval: Interval, from: i64, to: i64) -> Vec<Piece> {
    let steps = STEPS.into_iter().filter(|step| *step >= interval.step());
    let mut before = Vec::new();
    let mut after = Vec::new();
    let mut rest = Piece {
        step: interval.step(),
        from,
        to,
    };
    for step in steps {
        let inner_to = start(rest.to, step);
        // The first one that begins in it.
        let inner_from = start(rest.from.saturating_add(step - 1), step);
        if inner_from >= inner_to {
            break;
        }
        before.push(Piece {
            to: inner_from,
            ..rest
        });
        after.push(Piece {
            from: inner_to,
            ..rest
        });
        rest = Piece {
            step,
            from: inner_from,
            to: inner_to,
        };
    }
    let all = before.into_iter().chain([rest]).chain(after.into_iter().rev());
    all.filter(|piece| piece.from < piece.to).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{DAY_MS, HOUR_MS, STRETCH_MS};
    use super::*;

    fn piece(step: i64, from: i64, to: i64) -> Piece {
        Piece { step, from, to }
    }

    #[test]
    fn a_long_period_is_made_of_stretches_and_of_days_at_its_ends() {
        let (from, to) = (STRETCH_MS - 2 * DAY_MS, 3 * STRETCH_MS + DAY_MS);
        assert_eq!(
            pieces(Interval::Day, from, to),
            [
                piece(DAY_MS, from, STRETCH_MS),
                piece(STRETCH_MS, STRETCH_MS, 3 * STRETCH_MS),
                piece(DAY_MS, 3 * STRETCH_MS, to),
            ]
        );
        assert_eq!(
            pieces(Interval::Hour, DAY_MS, 2 * DAY_MS + HOUR_MS),
            [
                piece(DAY_MS, DAY_MS, 2 * DAY_MS),
                piece(HOUR_MS, 2 * DAY_MS, 2 * DAY_MS + HOUR_MS),
            ]
        );
        assert_eq!(
            pieces(Interval::Day, DAY_MS, 3 * DAY_MS),
            [piece(DAY_MS, DAY_MS, 3 * DAY_MS)]
        );
    }

    proptest! {
        #[test]
        fn they_cover_the_period_once_and_are_whole(
            interval in proptest::sample::select(&Interval::ALL[..]), first in -3_000_i64..3_000, count in 1_i64..5_000,
        ) {
            let step = interval.step();
            let (from, to) = (first * step, (first + count) * step);
            let mut at = from;
            for piece in pieces(interval, from, to) {
                prop_assert_eq!(piece.from, at);
                prop_assert!(piece.to > piece.from && piece.step >= step);
                prop_assert_eq!((piece.from.rem_euclid(piece.step), piece.to.rem_euclid(piece.step)), (0, 0));
                at = piece.to;
            }
            prop_assert_eq!(at, to);
        }
    }
}
