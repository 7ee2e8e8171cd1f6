//! The whole program against real services: one module for each property, what they share in `support`.
//!
//! Every test starts the real binary as a process of its own and has topics and databases of its own, so all of them run side by
//! side. Kafka, InfluxDB and VictoriaMetrics come from `docker/local`, or are the user's own: see `support/services.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod alerts;
mod bad_input;
mod cli_rest;
mod cli_try;
mod clients;
mod commands;
mod compaction;
mod container;
mod dashboards;
mod dead_letters;
mod delivery;
mod dlq;
mod docs;
mod environment;
mod examples;
mod faults;
mod feed;
mod gates;
mod golden;
mod group;
mod guests;
mod influx_contract;
mod leaving;
mod listener;
mod metrics;
mod offsets;
mod openapi;
mod outage;
mod rebalance;
mod rebalance_outage;
mod record_kinds;
mod record_times;
mod reject;
mod revoke;
mod sandbox;
mod secured;
mod shutdown;
mod stack;
mod storm;
mod support;
mod swap;
mod topic_life;
mod transactions;
mod watchdog;
mod worker;
