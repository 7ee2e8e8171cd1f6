//! What the real VictoriaMetrics has stored.

use serde_json::Value;

use super::http;
use super::points::Points;
use super::services;

/// Every sample that was written with `influx.database=database`, as the point it was made of; times are milliseconds there,
/// so the last six digits are 0.
pub(crate) fn points(database: &str) -> Points {
    let url = services::victoria_metrics();
    // What has just been written shows up in queries only after this.
    assert_eq!(http::get(&format!("{url}/internal/force_flush")).unwrap().status, 200);
    let matching = http::encode(&format!("{{db=\"{database}\"}}"));
    let answer = http::get(&format!("{url}/api/v1/export?match[]={matching}")).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut points = Points::default();
    for line in answer.body.lines() {
        let series: Value = serde_json::from_str(line).unwrap();
        let field = series["metric"]["__name__"].as_str().unwrap().strip_prefix("cryptos_").unwrap().to_owned();
        let (times, values) = (series["timestamps"].as_array().unwrap(), series["values"].as_array().unwrap());
        points.extend(times.iter().zip(values).map(|(time, value)| {
            ((field.clone(), time.as_i64().unwrap() * 1_000_000), value.as_f64().unwrap()) //
        }));
    }
    points
}
