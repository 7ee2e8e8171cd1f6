//! `sluice new`: a folder with a transform that builds, passes its tests and runs, for an author to change.
//!
//! The transform in it is the shipped `split-concat` under another name, so what authors begin with is what our tests and benches
//! run. The SDK is put beside it, because it is in no registry: nothing but cargo and the crates that the SDK itself needs is wanted.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::cli::NewArgs;

// `SDK`: the files of the SDK's `src`, by their names.
include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Files of the folder that are templates: where, and what.
const TEMPLATES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("scaffold/Cargo.toml.in")),
    // The versions that we test with; whoever wants later ones runs `cargo update`.
    ("Cargo.lock", include_str!("scaffold/Cargo.lock.in")),
    ("README.md", include_str!("scaffold/README.md.in")),
    ("@NAME@.properties", include_str!("scaffold/connector.properties.in")),
    ("tests/records.rs", include_str!("scaffold/records.rs.in")),
    ("sluice-transform/Cargo.toml", include_str!("scaffold/sdk.toml.in")),
];

/// Files that are taken as they are.
const PLAIN: &[(&str, &str)] = &[
    ("records.txt", include_str!("../../examples/crypto-prices/records.txt")),
    ("rust-toolchain.toml", include_str!("../../rust-toolchain.toml")),
    ("wit/transform.wit", include_str!("../../wit/transform.wit")),
    (".gitignore", "target/\n"),
];

/// The transform that is copied, and the name of its type.
const TRANSFORM: &str = include_str!("../../transforms/split-concat/src/lib.rs");
const TRANSFORM_TYPE: &str = "SplitConcat";

/// Where the version of `wit-bindgen` stands that the SDK is built with.
const GUESTS: &str = include_str!("../../transforms/Cargo.toml");

/// The path of the contract as the SDK has it, in our repository and in the folder.
const WIT_PATHS: (&str, &str) = ("../../wit", "../wit");

/// Names that cargo or the SDK have taken.
const TAKEN: [&str; 8] = ["test", "core", "std", "alloc", "proc-macro", "sluice-transform", "wit", "target"];

/// Words that a crate can't be called by in `use` (the Rust reference, «Keywords»).
const KEYWORDS: &str = " abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if impl in \
    let loop macro match mod move mut override priv pub ref return self static struct super trait true try type typeof unsafe unsized use \
    virtual where while yield ";

/// Types that every program has, and that the transform uses.
const PRELUDE: [&str; 5] = ["Option", "Result", "Some", "String", "Vec"];

/// Longest name: it becomes a file's, and a connector's.
const NAME_MAX: usize = 64;

/// Why no folder was made.
#[derive(Debug, Error)]
pub enum NewError {
    /// No package may be called so.
    #[error("{name:?} can't be the name of a transform: {why}; one looks like sensor-readings")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is something already.
    #[error("{} is there already, and is left as it is: choose another name", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file can't be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What to do next can't be printed.
    #[error("could not write to standard output")]
    Print(#[from] io::Error),
}

/// The names that stand in the templates.
struct Names {
    /// `sensor-readings`
    package: String,
    /// `sensor_readings`
    library: String,
    /// `SensorReadings`
    r#type: String,
}

// === impl NewError ===

impl NewError {
    /// Whether the command line has to be changed.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Name { .. } | Self::Exists { .. })
    }
}

/// Makes the folder and prints what to do next.
///
/// # Errors
///
/// If the name is none, the folder is there already, or can't be written.
pub fn run(args: &NewArgs, out: &mut impl Write) -> Result<(), NewError> {
    let folder = &args.folder;
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let names = Names::of(&name)?;
    if folder.exists() {
        return Err(NewError::Exists { path: folder.clone() });
    }
    for (path, text) in files(&names) {
        write(&folder.join(path), &text)?;
    }
    let (shown, package, library) = (folder.display(), &names.package, &names.library);
    writeln!(
        out,
        "\
made {shown}; the transform is {shown}/src/lib.rs. Next:
  cd {shown}
  cargo test
  cargo build --release --target wasm32-unknown-unknown
  sluice try --connector {package}.properties --file records.txt
  sluice run --bootstrap-servers localhost:9092 {package}.properties
The module is target/wasm32-unknown-unknown/release/{library}.wasm."
    )?;
    Ok(())
}

/// Every file of the folder, with its text.
fn files(names: &Names) -> Vec<(String, String)> {
    let template = |(path, text): &(&str, &str)| (names.fill(path), names.fill(text));
    let sdk = SDK.iter().map(|(name, text)| {
        (format!("sluice-transform/src/{name}"), text.replace(&quoted(WIT_PATHS.0), &quoted(WIT_PATHS.1)))
    });
    let plain = PLAIN.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let transform = ("src/lib.rs".to_owned(), TRANSFORM.replace(TRANSFORM_TYPE, &names.r#type));
    TEMPLATES.iter().map(template).chain(sdk).chain(plain).chain([transform]).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn write(path: &Path, text: &str) -> Result<(), NewError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|source| NewError::Write { path: path.to_owned(), source })
}

// === impl Names ===

impl Names {
    fn of(name: &str) -> Result<Self, NewError> {
        let fault = |why| Err(NewError::Name { name: name.to_owned(), why });
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return fault("it does not begin with a lower case letter");
        }
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return fault("it holds more than lower case letters, digits and hyphens");
        }
        if name.len() > NAME_MAX || name.ends_with('-') || name.contains("--") {
            return fault("it is longer than 64 characters, ends in a hyphen, or has two of them side by side");
        }
        let capital = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
        let r#type: String = name.split('-').map(capital).collect();
        let mut words = TRANSFORM.split(|c: char| !c.is_alphanumeric());
        let is_word = PRELUDE.contains(&r#type.as_str()) || words.any(|word| word == r#type);
        if TAKEN.contains(&name) || KEYWORDS.contains(&format!(" {name} ")) || is_word {
            return fault("it is taken by Rust, or by what the folder begins with");
        }
        Ok(Self { package: name.to_owned(), library: name.replace('-', "_"), r#type })
    }

    fn fill(&self, text: &str) -> String {
        let wit_bindgen = GUESTS.lines().find(|line| line.starts_with("wit-bindgen")).unwrap_or_default();
        text.replace("@NAME@", &self.package)
            .replace("@CRATE@", &self.library)
            .replace("@TYPE@", &self.r#type)
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@WIT_BINDGEN@", wit_bindgen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_cargo_and_a_connector_can_have() {
        for name in [
            "",
            "Sensors",
            "9lives",
            "a_b",
            "a b",
            "a/../b",
            "-a",
            "a-",
            "a--b",
            "test",
            "sluice-transform",
            "transform",
            "record",
            "symbol",
            "match",
            "result",
        ] {
            assert!(Names::of(name).is_err(), "{name:?}");
        }
        let names = Names::of("sensor-readings-2").unwrap();
        assert_eq!(names.library, "sensor_readings_2");
        assert_eq!(names.r#type, "SensorReadings2");
    }

    #[test]
    fn no_placeholder_is_left() {
        for (path, text) in files(&Names::of("my-own").unwrap()) {
            let left = ["@NAME@", "@CRATE@", "@TYPE@", "@VERSION@", "@WIT_BINDGEN@", TRANSFORM_TYPE, WIT_PATHS.0];
            assert!(!left.iter().any(|left| path.contains(left) || text.contains(left)), "{path}");
        }
    }

    #[test]
    fn the_lock_file_has_the_versions_that_the_shipped_transform_is_built_with() {
        const OURS: &str = include_str!("../../transforms/Cargo.lock");
        let theirs = include_str!("scaffold/Cargo.lock.in");
        let packages: Vec<_> = theirs.split("[[package]]\n").filter(|package| package.contains("source = ")).collect();
        assert!(packages.len() > 10);
        for package in packages {
            let end = package.find("source = ").unwrap();
            assert!(OURS.contains(&package[..end]), "another version than transforms/Cargo.lock has: {package}");
        }
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let args = NewArgs { folder: folder.path().join("mine") };
        run(&args, &mut Vec::new()).unwrap();
        fs::write(args.folder.join("src/lib.rs"), "changed").unwrap();
        assert!(matches!(run(&args, &mut Vec::new()), Err(NewError::Exists { .. })));
        assert_eq!(fs::read_to_string(args.folder.join("src/lib.rs")).unwrap(), "changed");
    }
}
