//! What several rounds come to.

/// The median; of an even number of values the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// The value below which this share of them lies, of values in ascending order.
pub(crate) fn quantile<T: Copy>(ascending: &[T], share: f64) -> T {
    ascending[((ascending.len() - 1) as f64 * share) as usize]
}
