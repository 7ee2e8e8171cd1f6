//! The transforms inside the binary: `builtin:<name>` needs no file. `build.rs` compiles them from `transforms/`.

/// Name and bytes of each shipped transform.
pub const BUILTINS: &[(&str, &[u8])] = &[("split-concat", include_bytes!(env!("SLUICE_GUEST_SPLIT_CONCAT")))];

/// The bytes of the shipped transform `name`.
pub fn find(name: &str) -> Option<&'static [u8]> {
    BUILTINS.iter().find(|(builtin, _)| *builtin == name).map(|(_, bytes)| *bytes)
}

/// The names, for messages.
pub fn names() -> String {
    BUILTINS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Whether these bytes are those of a shipped transform.
pub fn is_shipped(bytes: &[u8]) -> bool {
    BUILTINS.iter().any(|(_, shipped)| *shipped == bytes)
}
