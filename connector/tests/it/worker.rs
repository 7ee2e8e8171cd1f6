//! One process, many connectors: made, changed, paused, stopped, restarted and deleted over REST.

mod changes;
mod failing;
mod files;
mod lifecycle;
mod restarts;
