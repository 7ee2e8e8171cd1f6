//! The seam between the demo and the real connector: `sluice demo` as typed.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::{BoxError, ConnectorInputs, DemoError, DemoOptions, LogTail, RunningConnector, run};
use crate::app::{Connectors, Worker};
use crate::cli::DemoArgs;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::connector::Prepared;
use crate::services::Services;

/// The worker, as the demo sees it.
struct Running(Worker);

/// Runs the demo until its time is over, Ctrl-C or SIGTERM. Gives back whether every price arrived.
///
/// # Errors
///
/// As [`run`].
pub async fn command(args: &DemoArgs, log: LogTail, stop: impl Future<Output = ()>) -> Result<bool, DemoError> {
    let options = DemoOptions {
        duration: args.duration_s.map(Duration::from_secs),
        rate: NonZeroU32::new(args.rate).unwrap_or(NonZeroU32::MIN),
        seed: args.seed,
        live: super::has_live_terminal(),
        log,
    };
    let summary = run(options, stop, |inputs| connect(args.listeners.clone(), inputs)).await?;
    Ok(summary.is_complete())
}

/// Starts what `sluice run` starts, with the settings that a user would write.
async fn connect(listeners: String, inputs: ConnectorInputs) -> Result<Running, BoxError> {
    let worker = [("bootstrap.servers", inputs.bootstrap), ("listeners", listeners)];
    let worker = WorkerConfig::check(&strings(worker), [], &BTreeMap::new())?.config;
    let mut connector = strings([
        ("name", "demo".to_owned()),
        ("topics", inputs.topic),
        ("transform.module", "builtin:split-concat".to_owned()),
        ("influx.url", inputs.influx_url),
        ("influx.database", inputs.database),
    ]);
    for (key, value) in inputs.consumer_overrides {
        connector.insert(format!("consumer.override.{key}"), (*value).to_owned());
    }
    let connector = ConnectorConfig::check(&connector)?.config;
    let services = Services::bare();
    let prepared = Prepared::new(&services, connector)?;
    Ok(Running(
        Worker::start(
            worker,
            &services,
            Connectors { files: vec![prepared], ..Connectors::default() },
            inputs.extra_routes,
        )
        .await?,
    ))
}

fn strings<const N: usize>(pairs: [(&str, String); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

impl RunningConnector for Running {
    fn listener(&self) -> Option<SocketAddr> {
        self.0.listening().first().map(|listening| listening.address)
    }

    async fn failed(&mut self) -> BoxError {
        self.0.all_failed().await.join("; ").into()
    }

    async fn stop(self) -> Result<(), BoxError> {
        if self.0.stop().await { Ok(()) } else { Err("it did not stop in time".into()) }
    }
}
