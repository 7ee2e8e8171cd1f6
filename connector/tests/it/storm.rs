//! A storm of requests: 10,000 from 200 clients at a time, malformed ones, slow ones and ones that are cut off among them. Whatever was answered is
//! so afterwards, data goes on, and nothing is left behind.
//!
//! Each client has connectors of its own and knows after every answer what there has to be of them. All of them together disturb one connector that runs;
//! another one runs beside them undisturbed.

mod client;
mod link;

use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::thread::JoinHandle;

use procfs::process::Process;
use serde_json::{Value, json};

use crate::support::points::{LONG_AGO_MS, Record, SYMBOLS};
use crate::support::sluice::Connector;
use crate::support::wait::{equal, until};
use crate::support::worker::{self, Site, create, expect, until_states};
use client::{Client, Fates};
use link::Link;

/// Clients at a time. Each keeps a connection open, so that they stay below what the listener takes.
const CLIENTS: usize = 200;

/// Requests of a round, and of both together those that are promised.
const ROUND_REQUESTS: usize = 5_000;

/// Connections that begin a request and never end it.
const STUCK: usize = 20;

/// Batches of records that are produced while a round goes on, and records in each.
const BATCHES: usize = 20;
const BATCH: usize = 50;

/// How much more memory a process may have after the second round than after the first. Two kilobytes kept of each request would be more.
const GROWTH_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// How many more files and threads: a consumer makes some when it first needs them. One in a hundred requests that left something would be more.
const GROWTH_MAX: usize = 16;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    files: usize,
    threads: usize,
    bytes: u64,
}

#[test]
fn storm_loses_nothing_and_leaves_nothing_behind() {
    let mut site = Site::new("storm", 2);
    let process = Process::new(site.sluice.id().cast_signed()).unwrap();
    let live = site.connector("live");
    let stirred = site.connector("stirred");
    for connector in [&live, &stirred] {
        create(&site.sluice, connector, None);
        until_states(&site.sluice, connector, "RUNNING: RUNNING");
    }
    let mut sent = round(&mut site, &live, &stirred, 1, ROUND_REQUESTS);
    // Threads that have worked for requests end when there are none; what is left then has a reason that lasts.
    let first = until("the process to come to rest after the first round", || {
        let held = Held::by(&process);
        if held.files < CLIENTS && held.threads < CLIENTS / 4 { Ok(held) } else { Err(held) }
    });
    sent += round(&mut site, &live, &stirred, 2, ROUND_REQUESTS);
    assert!(sent >= 10_000, "{sent} requests were sent");
    until("everything to be given back that the second round has taken", || {
        let held = Held::by(&process);
        if held.is_like(&first) { Ok(()) } else { Err((held, first)) }
    });
    site.sluice.stop();
}

/// Sends so many requests and some more, and looks at what has come of them; how many it were. No connector of a client is left.
fn round(site: &mut Site, live: &Connector, stirred: &Connector, number: usize, requests: usize) -> usize {
    let sluice = &site.sluice;
    let fates = Arc::new(Mutex::new(Fates::default()));
    let together = Arc::new(Barrier::new(CLIENTS));
    let address = sluice.url("").trim_start_matches("http://").to_owned();
    let stuck: Vec<_> = (0..STUCK).map(|_| Link::stuck(&address)).collect();
    let clients: Vec<JoinHandle<Client>> = (0..CLIENTS)
        .map(|id| {
            let (fates, together) = (Arc::clone(&fates), Arc::clone(&together));
            let mut client = Client::new(&address, number, id, live, stirred);
            thread::spawn(move || {
                together.wait();
                client.storm(requests.div_ceil(CLIENTS), &fates);
                client
            })
        })
        .collect();
    for batch in 0..BATCHES {
        site.topic.produce(&prices((number * BATCHES + batch) * BATCH));
    }
    let mut clients: Vec<_> = clients.into_iter().map(|client| client.join().expect("a client")).collect();
    fates.lock().unwrap().assert_one_of_all_made_the_contested();
    for client in &mut clients {
        client.look_again();
    }
    let mut there: Vec<_> = clients.iter().flat_map(Client::names).collect();
    there.extend([live.name.clone(), stirred.name.clone(), Fates::contested(number)]);
    there.sort();
    let listed = expect(sluice, 200, "GET", "/connectors", None);
    assert_eq!(sorted(&listed), there, "the connectors are not those that were made and not deleted");
    let shown = expect(sluice, 200, "GET", "/sluice/connectors", None);
    let shown: Value = shown.as_array().unwrap().iter().map(|connector| connector["name"].clone()).collect();
    assert_eq!(sorted(&shown), there, "others are shown than there are");

    // What was stirred is not broken.
    assert_eq!(expect(sluice, 202, "PUT", &worker::path(stirred, "/resume"), None), Value::Null);
    until_states(sluice, stirred, "RUNNING: RUNNING");
    for connector in [live, stirred] {
        site.until_committed(connector);
    }
    site.assert_all_stored();

    for name in there.iter().filter(|name| **name != live.name && **name != stirred.name) {
        expect(&site.sluice, 204, "DELETE", &format!("/connectors/{name}"), None);
    }
    let left = expect(&site.sluice, 200, "GET", "/connectors", None);
    equal(sorted(&left).len(), &2).expect("connectors that were deleted are there");
    drop(stuck);
    clients.iter().map(Client::sent).sum()
}

/// Prices from this number on.
fn prices(from: usize) -> Vec<Record> {
    let price = |number: usize| {
        let at = LONG_AGO_MS + number as i64;
        Record::price((number % 2) as i32, at, SYMBOLS[number % SYMBOLS.len()], &format!("{number}.5"))
    };
    (from..from + BATCH).map(price).collect()
}

fn sorted(names: &Value) -> Vec<String> {
    let mut names: Vec<_> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

// === impl Held ===

impl Held {
    fn by(process: &Process) -> Self {
        let status = process.status().unwrap();
        let bytes = status.vmrss.expect("the process has memory") * 1024;
        Self { files: process.fd_count().unwrap(), threads: status.threads as usize, bytes }
    }

    fn is_like(&self, first: &Self) -> bool {
        self.files <= first.files + GROWTH_MAX
            && self.threads <= first.threads + GROWTH_MAX
            && self.bytes <= first.bytes + GROWTH_MAX_BYTES
    }
}

/// The settings of a connector that never runs.
fn idle(live: &Connector) -> Value {
    json!(live.settings())
}
