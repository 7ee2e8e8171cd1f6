//! One process, many connectors: made, changed, paused, stopped, restarted and deleted over REST.

mod files;
mod lifecycle;
