use super::*;

const MS: Duration = Duration::from_millis(1);

/// A back-off that always draws the largest (or smallest) number.
fn extreme(largest: bool) -> Backoff {
    Backoff::with_draw(100 * MS, 30_000 * MS, move |top| if largest { top } else { 0 })
}

#[test]
fn delays_double_up_to_the_cap_and_start_again_after_a_reset() {
    let mut backoff = extreme(true);
    let delays: Vec<u128> = (0..10).map(|_| backoff.next(None).as_millis()).collect();
    assert_eq!(delays, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    assert_eq!(backoff.attempts(), 10);
    backoff.reset();
    assert_eq!(backoff.attempts(), 0);
    assert_eq!(backoff.next(None), 200 * MS);
}

#[test]
fn no_delay_is_shorter_than_the_minimum() {
    let mut backoff = extreme(false);
    assert!((0..100).all(|_| backoff.next(None) == 100 * MS));
}

#[test]
fn the_draw_decides_where_between_minimum_and_ceiling() {
    let mut asked = Vec::new();
    let (tell, told) = std::sync::mpsc::sync_channel(8);
    let mut backoff = Backoff::with_draw(100 * MS, 30_000 * MS, move |top| {
        tell.send(top).unwrap();
        top / 4
    });
    assert_eq!(backoff.next(None), 125 * MS);
    assert_eq!(backoff.next(None), 175 * MS);
    asked.extend(told.try_iter());
    assert_eq!(asked, [100_000_000, 300_000_000]);
}

#[test]
fn what_the_server_asks_for_is_the_least_and_is_spread() {
    assert_eq!(extreme(false).next(Some(5_000 * MS)), 5_000 * MS);
    assert_eq!(extreme(true).next(Some(5_000 * MS)), 5_100 * MS);
    assert_eq!(extreme(true).next(Some(MS)), 200 * MS, "a shorter wish than our own delay changes nothing");
}

#[test]
fn thousands_of_attempts_and_odd_limits_do_not_overflow() {
    let mut backoff = Backoff::with_draw(MS, Duration::MAX, |top| top);
    assert!((0..5_000).all(|_| backoff.next(Some(Duration::MAX)) >= MS));
    assert_eq!(Backoff::with_draw(100 * MS, MS, |top| top).next(None), 100 * MS);
    let mut real = Backoff::default();
    assert!((0..1_000).all(|_| (Backoff::MIN..=Backoff::CAP).contains(&real.next(None))));
}

#[test]
fn retry_after_in_seconds_fractions_and_dates() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    for (value, expected) in [
        ("0", Some(0)),
        ("120", Some(120_000)),
        (" 7 ", Some(7_000)),
        ("1.5", Some(1_500)),
        (".25", Some(250)),
        ("1e300", Some(600_000)),
        ("86400", Some(600_000)),
        ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30_000)),
        ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10_000)),
        ("Sun Nov  6 08:49:47 1994", Some(10_000)),
        ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
        ("Tue, 01 Jan 2030 00:00:00 GMT", Some(600_000)),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("5 seconds", None),
        ("NaN", None),
    ] {
        assert_eq!(retry_after(value, now), expected.map(Duration::from_millis), "{value:?}");
    }
}
