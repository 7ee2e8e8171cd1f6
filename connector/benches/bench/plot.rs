//! Pictures of how something grows.

use std::path::Path;

use plotters::prelude::*;

/// Width and height in pixels of one curve's picture.
const SIZE: (u32, u32) = (640, 300);

/// A curve: what it shows, and its points.
pub(crate) type Curve = (&'static str, Vec<(f64, f64)>);

/// Draws each curve into a picture of its own, one below the other in one file. The horizontal axis is logarithmic, the other begins at zero.
pub(crate) fn draw(file: &Path, unit: &str, curves: &[Curve]) {
    let root = SVGBackend::new(file, (SIZE.0, SIZE.1 * curves.len() as u32)).into_drawing_area();
    root.fill(&WHITE).unwrap();
    for (area, (title, points)) in root.split_evenly((curves.len(), 1)).iter().zip(curves) {
        let (first, last) = (points[0].0, points[points.len() - 1].0);
        let top = points.iter().fold(0.0_f64, |top, point| top.max(point.1)) * 1.2;
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d((first..last).log_scale(), 0.0..top)
            .unwrap();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_desc(unit)
            .x_label_formatter(&|x| short(*x))
            .max_light_lines(0)
            .draw()
            .unwrap();
        chart.draw_series(LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)).point_size(4)).unwrap();
    }
    root.present().unwrap();
}

/// A thousand as `1 k`.
fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{} M", value / 1e6),
        _ if value >= 1e3 => format!("{} k", value / 1e3),
        _ => value.to_string(),
    }
}
