//! Fuzz targets: what strangers' bytes meet first, and what has to hold for any bytes whatever.
//!
//! One function for each target takes the bytes and asserts. libFuzzer calls it (`make fuzz`, with coverage, for as long as one likes), and
//! the tests of this module do, with a fixed number of inputs grown from `fuzz/seeds` (`make test`). Nothing of the program calls into here.
//!
//! | target | strangers' bytes | held against |
//! | --- | --- | --- |
//! | [`points`] | a line of a transform | the crate's parser |
//! | [`output`] | what a guest gives back | the rules of `wit/transform.wit`, written down a second time |
//! | [`config`] | a configuration file | secrets must not come back in what is said about it |
//! | [`answers`] | a server's answer to a write | no error is an acknowledgement, no line is found that is not there |
//! | [`rest`] | requests to the REST API | what has come of them: what the answers say, and no more |

mod answers;
mod config;
mod output;
mod points;
mod rest;
#[cfg(test)]
mod tests;

pub use answers::answers;
pub use config::config;
pub use output::output;
pub use points::points;
pub use rest::rest;
