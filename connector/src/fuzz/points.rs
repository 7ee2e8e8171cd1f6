//! Lines: the fast scanner, the full check and the crate's parser say the same of any bytes.

use influxdb_line_protocol::parse_lines;

use crate::config::Tiebreak;
use crate::points::{Stamper, agree, append_line};

/// The bytes are a line. Whatever is accepted is one line with a timestamp that leaves the next line alone.
pub fn points(line: &[u8]) {
    assert!(agree(line), "the scanner accepts what the parser refuses, or reads another timestamp");

    let mut body = Vec::new();
    let mut stamper = Stamper::new("fuzz", 1, Tiebreak::Offset);
    if append_line(&mut body, line, &mut stamper, 1_785_000_000_000, 7).is_err() {
        assert!(body.is_empty(), "an error appends nothing");
        return;
    }
    body.extend_from_slice(b"after g=2 7\n");
    let body = std::str::from_utf8(&body).expect("an accepted line is UTF-8");
    let lines: Vec<_> = parse_lines(body).collect::<Result<_, _>>().expect("an accepted line is line protocol");
    assert_eq!(lines.len(), 2, "an accepted line is one line");
    assert!(lines[0].timestamp.is_some(), "an accepted line has a timestamp");
    assert_eq!(lines[1].series.measurement, "after", "an accepted line leaves the next one alone");
}
