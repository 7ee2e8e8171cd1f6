//! Names of connectors as names of files.

use crate::transform::digest_of;

/// The longest name of a connector's file or folder, in bytes. File systems take 255, and endings are put behind it.
const NAME_MAX_BYTES: usize = 150;

/// The connector's name, percent-encoded but for letters, digits, `_` and `-`. A long one is cut, and ends in a dot and its sha256. No two
/// connectors have the same: a dot is in no other name.
pub(crate) fn of_connector(connector: &str) -> String {
    let mut name = String::new();
    for byte in connector.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.is_empty() {
        // What no name is encoded to.
        name.push('%');
    }
    if name.len() > NAME_MAX_BYTES {
        let hash = digest_of(connector.as_bytes());
        name.truncate(NAME_MAX_BYTES - hash.len() - 1);
        name = format!("{name}.{hash}");
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_connector_has_a_folder_of_its_own() {
        let (long, longer) = ("x".repeat(200), "x".repeat(201));
        let umlauts = "ä".repeat(60);
        let names =
            ["prices", "Prices", "a/b", "a%2Fb", "..", ".", "", "%", "a b", "ä", "\0", &long, &longer, &umlauts];
        let folders: BTreeSet<_> = names.iter().map(|name| of_connector(name)).collect();
        assert_eq!(folders.len(), names.len());
        for folder in &folders {
            assert!(!folder.is_empty() && folder.len() <= NAME_MAX_BYTES, "{folder}");
            assert!(!folder.starts_with('.') && !folder.contains(['/', '\0']), "{folder}");
        }
        let named = |name: &str| of_connector(name);
        assert_eq!((named("prices-1_A"), named("a/b"), named(".."), named("ä")), {
            let s = str::to_owned;
            (s("prices-1_A"), s("a%2Fb"), s("%2E%2E"), s("%C3%A4"))
        });
        assert_eq!(of_connector(&"x".repeat(150)), "x".repeat(150));
        assert_eq!(of_connector(&long), format!("{}.{}", "x".repeat(85), digest_of(long.as_bytes())));
    }
}
