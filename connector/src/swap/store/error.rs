//! Why something can't be kept in the state folder or read from it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::FORMAT;

/// Why something can't be kept or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder can't be made.
    #[error("could not make the folder {} for the connector's modules; make state.dir writable for this user", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file is there and can't be read.
    #[error("could not read {}; make it readable for this user", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file can't be written. The old one, if there was one, is still there.
    #[error("could not write {}, so what is there stays; see that the disk is not full and state.dir is writable for this user", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A damaged file can't be moved out of the way.
    #[error("{} is damaged ({damage}) and could not be renamed; move it out of state.dir by hand", path.display())]
    SetAside {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file that nobody needs can't be removed.
    #[error("could not remove {}, which is no longer needed; remove it by hand", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The history was written by a newer program.
    #[error(
        "{} has format {format}, this version of Sluice reads {FORMAT}: it was written by a newer one; run that one again, or move the \
         folder away to begin anew with what transform.module says", path.display()
    )]
    Newer {
        /// The file, which is left as it is.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// The history can't be put into JSON.
    #[error("could not put the history of the connector's modules into JSON")]
    Json(#[source] serde_json::Error),
    /// The bytes are not those of the digest: nothing is kept.
    #[error(
        "the module's bytes have the digest {found}, not {expected}; this is a mistake in Sluice, please report it"
    )]
    Digest {
        /// What was asked for.
        expected: String,
        /// What the bytes have.
        found: String,
    },
}
