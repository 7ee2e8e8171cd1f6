//! Messages to the connector's log. The host keeps at most 10 a second and 1,024 bytes of each: for what is worth
//! knowing, not for every record. In native tests they are collected (`testing::Outcome::logs`).

use crate::bindings::sluice::transform::log::Level;

/// Detail for the author of the transform.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// A change of state worth knowing.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Unexpected, but handled.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Somebody has to act.
pub fn error(message: &str) {
    write(Level::Error, message);
}

/// Sends what a panic says to the log: the host sees only the trap that follows. `export!` calls it.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: &str) {
    crate::bindings::sluice::transform::log::write(level, message);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, message: &str) {
    crate::testing::record_log(level, message);
}
