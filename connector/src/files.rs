//! Reading files that others may have put there.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The whole of a regular file of at most `bytes_max` bytes.
///
/// # Errors
///
/// It can't be read, is larger, or is no regular file.
pub(crate) fn read_regular(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("this is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}
