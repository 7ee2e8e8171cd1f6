//! What clients are told of the plugin, against what the tables and the checks say.
