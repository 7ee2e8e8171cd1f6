//! One process, many connectors: made, changed, paused, stopped, restarted and deleted over REST.

mod blocking;
mod changes;
mod crowd;
mod failing;
mod files;
mod lifecycle;
mod loggers;
mod overrides;
mod restarts;
mod strimzi;
mod topics;
mod uis;
