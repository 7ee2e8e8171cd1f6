//! What `wit-bindgen` makes of `wit/transform.wit`. Authors never name these types; `export!` and the host side of
//! the tests do.
#![allow(missing_docs, missing_debug_implementations, unreachable_pub, unsafe_code, reason = "generated code")]
#![allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "transform",
    pub_export_macro: true,
    default_bindings_module: "sluice_transform::bindings",
});
