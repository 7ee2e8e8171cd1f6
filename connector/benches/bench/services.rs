//! Services that `docker/local/services` fetches and starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::Child;

/// Running services; they end with this value.
pub(crate) struct Services {
    /// What they tell about where they are, as `SLUICE_TEST_KAFKA`.
    places: BTreeMap<String, String>,
    _child: Child,
}

/// The script that starts them.
pub(crate) fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/local/services")
}

// === impl Services ===

impl Services {
    pub(crate) fn start(names: &[&str]) -> Self {
        let mut child = Child::spawn(script(), &[&["run"], names].concat(), Stdio::piped());
        let told = std::iter::from_fn(|| Some(child.line()).filter(|line| line != "READY"));
        let places = told
            .filter_map(|line| Some(line.split_once('=')?).map(|(name, place)| (name.to_owned(), place.to_owned())));
        let places = places.collect();
        Self { places, _child: child }
    }

    /// Where one of them is.
    pub(crate) fn at(&self, name: &str) -> &str {
        self.places.get(name).unwrap_or_else(|| panic!("the services do not tell {name}"))
    }
}
