use proptest::prelude::*;

use super::*;

const HOUR_MS: u64 = 3_600_000;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> UnixMillis {
    text.parse::<Timestamp>().unwrap().into()
}

fn window(period: Period, start_day: u8, now: &str, zone_name: &str) -> (String, String) {
    let window = period
        .window(StartDay::try_from(start_day).unwrap(), at(now), &zone(zone_name))
        .unwrap();
    let show = |ms: UnixMillis| ms.timestamp().to_string();
    (show(window.start), show(window.end.unwrap()))
}

#[test]
fn a_day_ends_at_midnight_of_its_zone() {
    assert_eq!(
        window(Period::Day, 1, "2026-11-21T23:30:00Z", "Europe/Berlin"),
        (
            "2026-11-21T23:00:00Z".to_owned(),
            "2026-11-22T23:00:00Z".to_owned()
        )
    );
}

#[test]
fn days_on_which_clocks_change_have_23_and_25_hours() {
    let hours = |now: &str| {
        let day = Period::Day
            .window(StartDay::FIRST, at(now), &zone("Europe/Berlin"))
            .unwrap();
        (day.end.unwrap().0 - day.start.0) / HOUR_MS
    };
    assert_eq!(hours("2026-03-29T12:00:00Z"), 23);
    assert_eq!(hours("2026-10-25T12:00:00Z"), 25);
}

#[test]
fn a_day_whose_midnight_does_not_exist_begins_when_the_day_does() {
    // Beirut went from 23:59:59 to 01:00 on 26 March 2017.
    assert_eq!(
        window(Period::Day, 1, "2017-03-26T10:00:00Z", "Asia/Beirut").0,
        "2017-03-25T22:00:00Z"
    );
}

#[test]
fn a_day_whose_midnight_comes_twice_begins_with_the_first() {
    // Havana went from 01:00 back to 00:00 on 5 November 2017.
    assert_eq!(
        window(Period::Day, 1, "2017-11-05T18:00:00Z", "America/Havana").0,
        "2017-11-05T04:00:00Z"
    );
}

#[test]
fn a_month_that_ends_after_clocks_changed_ends_at_local_midnight() {
    assert_eq!(
        window(Period::Month, 1, "2026-10-10T00:00:00Z", "America/New_York"),
        (
            "2026-10-01T04:00:00Z".to_owned(),
            "2026-11-01T04:00:00Z".to_owned()
        )
    );
    assert_eq!(
        window(Period::Month, 1, "2026-11-10T00:00:00Z", "America/New_York"),
        (
            "2026-11-01T04:00:00Z".to_owned(),
            "2026-12-01T05:00:00Z".to_owned()
        )
    );
}

#[test]
fn a_week_begins_on_monday() {
    assert_eq!(
        window(Period::Week, 1, "2027-01-03T12:00:00Z", "UTC"),
        (
            "2026-12-28T00:00:00Z".to_owned(),
            "2027-01-04T00:00:00Z".to_owned()
        )
    );
}

#[test]
fn a_month_from_the_31st_begins_on_the_last_day_of_short_months() {
    for (now, start, end) in [
        ("2026-01-30T00:00:00Z", "2025-12-31", "2026-01-31"),
        ("2026-02-27T23:59:59Z", "2026-01-31", "2026-02-28"),
        ("2026-02-28T00:00:00Z", "2026-02-28", "2026-03-31"),
        ("2028-02-29T00:00:00Z", "2028-02-29", "2028-03-31"),
        ("2026-04-30T00:00:00Z", "2026-04-30", "2026-05-31"),
    ] {
        assert_eq!(
            window(Period::Month, 31, now, "UTC"),
            (format!("{start}T00:00:00Z"), format!("{end}T00:00:00Z"))
        );
    }
}

#[test]
fn a_total_and_a_request_have_no_end() {
    for period in [Period::Total, Period::Request, Period::Session] {
        assert_eq!(
            period.window(StartDay::FIRST, at("2026-01-01T00:00:00Z"), &TimeZone::UTC),
            Ok(Window::EVER)
        );
    }
}

#[test]
fn no_month_begins_on_day_0_or_32() {
    for day in [0, 32, 200] {
        assert_eq!(StartDay::try_from(day), Err(PeriodError::StartDay(day)));
    }
}

#[test]
fn a_time_outside_the_calendar_is_an_error() {
    let wrong = Period::Month.window(StartDay::FIRST, UnixMillis(u64::MAX), &TimeZone::UTC);
    assert_eq!(wrong, Err(PeriodError::OutsideCalendar));
}

proptest! {
    #[test]
    fn windows_hold_their_moment_and_follow_each_other(
        ms in 0_u64..4_102_444_800_000,
        day in 1_u8..=31,
        period in prop::sample::select(vec![Period::Day, Period::Week, Period::Month]),
        name in prop::sample::select(vec![
            "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Beirut", "Pacific/Apia",
            "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo",
        ]),
    ) {
        let (zone, start_day) = (zone(name), StartDay::try_from(day).unwrap());
        let now = UnixMillis(ms);
        let here = period.window(start_day, now, &zone).unwrap();
        prop_assert!(here.contains(now), "{here:?} does not hold {now:?}");
        let next = period.window(start_day, here.end.unwrap(), &zone).unwrap();
        prop_assert_eq!(Some(next.start), here.end);
        prop_assert!(next.end > here.end);
        let last_moment = UnixMillis(here.end.unwrap().0 - 1);
        prop_assert_eq!(period.window(start_day, last_moment, &zone).unwrap(), here);
        prop_assert_eq!(period.window(start_day, here.start, &zone).unwrap(), here);
    }
}
