//! Documents of `docs` that are written from the code: a test compares them, and writes them anew when `SLUICE_WRITE_DOCS` is set.
#![cfg(test)]

use std::path::Path;

/// How a document is written anew.
pub(crate) const WRITE: &str = "SLUICE_WRITE_DOCS=1 cargo test -p sluice --lib tests::doc";

/// Fails unless `docs/NAME` is `text`.
#[track_caller]
pub(crate) fn is_what_the_code_says(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("SLUICE_WRITE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/{name} is not what the code says; people hold to its names, so if the change is meant: {WRITE}"
    );
}
