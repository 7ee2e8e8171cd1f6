//! What is asked of a connector: to be made, to have other settings, to stop, to be gone. Changes are made one at a time, and each is on the
//! disk before it counts; what it takes to bring the connector there is its keeper's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keeper::{Desired, End};
use super::{Origin, Record, Registry, RegistryError, Restart, RestartPlan, StoreError, Target};
use crate::config::{Checked, ConnectorConfig};
use crate::plugins::{self, Settings};
use crate::stage;

/// What a change of settings came to.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The connector now.
    pub record: Arc<Record>,
    /// Whether it was not there before.
    pub created: bool,
}

// === impl Registry ===

impl Registry {
    /// Makes a connector.
    ///
    /// # Errors
    ///
    /// Its settings are wrong, there is one of this name, or it can't be kept.
    pub async fn create(&self, name: &str, config: Settings, target: Target) -> Result<Arc<Record>, RegistryError> {
        let checked = self.check_new(name, named(name, config)).await?;
        let _change = self.shared.change().await?;
        if self.get(name).is_ok() {
            return Err(RegistryError::Exists(name.to_owned()));
        }
        self.make(&checked, target).await
    }

    /// Gives a connector these settings, all of them; makes it if there is none of this name.
    ///
    /// # Errors
    ///
    /// The settings are wrong, it comes from a file, or it can't be kept.
    pub async fn put(&self, name: &str, config: Settings) -> Result<Changed, RegistryError> {
        self.may_change(name)?;
        let checked = self.check_new(name, named(name, config)).await?;
        let _change = self.shared.change().await?;
        match self.get(name) {
            Ok(before) => self.change_config(&before, &checked).await,
            Err(_) => Ok(Changed { record: self.make(&checked, Target::Running).await?, created: true }),
        }
    }

    /// Changes some of a connector's settings; `None` takes one away (KIP-477).
    ///
    /// # Errors
    ///
    /// There is no such connector, the settings that come out are wrong, it comes from a file, or it can't be kept.
    pub async fn patch(&self, name: &str, patch: &Settings) -> Result<Changed, RegistryError> {
        loop {
            let before = self.get(name)?;
            self.may_change(name)?;
            let kept = before.config.iter().filter(|(key, _)| !patch.contains_key(*key));
            let kept = kept.map(|(key, value)| (key.clone(), Some(value.clone())));
            let put =
                patch.iter().filter(|(_, value)| value.is_some()).map(|(key, value)| (key.clone(), value.clone()));
            let checked = self.check_new(name, kept.chain(put).collect()).await?;
            let _change = self.shared.change().await?;
            // Somebody else was faster: what comes out has to be checked again.
            if Arc::ptr_eq(&self.get(name)?, &before) {
                return self.change_config(&before, &checked).await;
            }
        }
    }

    /// Deletes a connector. It is gone for everybody who asks; its tasks end in their own time.
    ///
    /// # Errors
    ///
    /// There is no such connector, it comes from a file, or its file can't be removed.
    pub async fn delete(&self, name: &str) -> Result<(), RegistryError> {
        let _change = self.shared.change().await?;
        self.get(name)?;
        self.may_change(name)?;
        let (shared, connector) = (Arc::clone(&self.shared), name.to_owned());
        on_disk(move || shared.store.as_ref().map_or(Ok(()), |store| store.remove(&connector))).await?;
        let removed = self.shared.entries().remove(name);
        if let Some(entry) = removed {
            entry.desired.send_modify(|desired| desired.end = Some(End::Deleted));
            self.shared.leave(name, entry.keeper);
        }
        self.shared.swaps.remove(name);
        self.shared.board.remove(name);
        Ok(())
    }

    /// Says what a connector is to do from now on.
    ///
    /// # Errors
    ///
    /// There is no such connector, or it can't be kept.
    pub async fn set_target(&self, name: &str, target: Target) -> Result<(), RegistryError> {
        let _change = self.shared.change().await?;
        let before = self.get(name)?;
        if before.target == target {
            return Ok(());
        }
        let tasks = match target {
            Target::Stopped => 0,
            Target::Paused => before.tasks,
            Target::Running => match before.tasks {
                // Settings that are wrong by now fail the start, which tells of it.
                0 => self.check(before.config.clone()).await.map_or(1, |checked| checked.config.tasks_max.get()),
                tasks => tasks,
            },
        };
        self.keep(Record { target, tasks, ..Record::clone(&before) }).await?;
        Ok(())
    }

    /// Restarts a connector, its tasks, or those of them that have failed (KIP-745). `None` if nothing was to be told.
    ///
    /// # Errors
    ///
    /// There is no such connector.
    pub fn restart(&self, name: &str, restart: Restart) -> Result<RestartPlan, RegistryError> {
        let plan = RestartPlan::new(restart, self.status(name)?);
        self.order(name, |desired| desired.restarts.order(&plan))?;
        Ok(plan)
    }

    /// Restarts one task.
    ///
    /// # Errors
    ///
    /// There is no such connector, or no such task.
    pub fn restart_task(&self, name: &str, task: u32) -> Result<(), RegistryError> {
        if task >= self.get(name)?.tasks {
            return Err(RegistryError::UnknownTask { connector: name.to_owned(), task });
        }
        self.order(name, |desired| desired.restarts.order_task(task))
    }

    /// The settings of a connector, checked, placeholders resolved as they are now.
    ///
    /// # Errors
    ///
    /// There is no such connector, or its settings are wrong by now.
    pub async fn checked(&self, name: &str) -> Result<ConnectorConfig, RegistryError> {
        Ok(self.check(self.get(name)?.config.clone()).await?.config)
    }

    fn order(&self, name: &str, order: impl FnOnce(&mut Desired)) -> Result<(), RegistryError> {
        let entries = self.shared.entries();
        let entry = entries.get(name).ok_or_else(|| RegistryError::Unknown(name.to_owned()))?;
        entry.desired.send_modify(order);
        Ok(())
    }

    fn may_change(&self, name: &str) -> Result<(), RegistryError> {
        match self.get(name) {
            Ok(record) if record.origin == Origin::File => Err(RegistryError::FromFile(name.to_owned())),
            _ => Ok(()),
        }
    }

    /// Settings that somebody asks for, in the way and in the words of Connect. Off the async threads: placeholders are looked up in files.
    async fn check_new(&self, name: &str, given: Settings) -> Result<Checked<ConnectorConfig>, RegistryError> {
        stage::enter(format!("checking the settings of connector {name}"));
        let rules = self.shared.worker.rules.clone();
        let checked = tokio::task::spawn_blocking(move || plugins::check(&given, &rules));
        let checked = checked.await.map_err(|_| RegistryError::Stopping)??;
        // Blanks around a name don't count, and what a placeholder stands for may change: another connector would be written over.
        if checked.config.name != name {
            return Err(RegistryError::OtherName { given: checked.config.name, name: name.to_owned() });
        }
        Ok(checked)
    }

    /// Settings that a connector has, likewise off the async threads.
    async fn check(&self, config: BTreeMap<String, String>) -> Result<Checked<ConnectorConfig>, RegistryError> {
        stage::enter("checking the settings of a connector");
        let rules = self.shared.worker.rules.clone();
        let check = move || ConnectorConfig::check_with(&config, &rules).map_err(RegistryError::Invalid);
        tokio::task::spawn_blocking(check).await.map_err(|_| RegistryError::Stopping)?
    }

    async fn make(&self, checked: &Checked<ConnectorConfig>, target: Target) -> Result<Arc<Record>, RegistryError> {
        let config = &checked.config;
        let record = Record {
            name: config.name.clone(),
            origin: Origin::Rest,
            target,
            tasks: tasks_of(target, None, config),
            config: config.raw.clone(),
        };
        self.shared.save_later(&record).await?;
        Ok(self.add(record, None, true))
    }

    async fn change_config(
        &self,
        before: &Record,
        checked: &Checked<ConnectorConfig>,
    ) -> Result<Changed, RegistryError> {
        let config = &checked.config;
        let tasks = if before.tasks == 0 && before.target != Target::Running { 0 } else { config.tasks_max.get() };
        let record = Record { config: config.raw.clone(), tasks, ..before.clone() };
        Ok(Changed { record: self.keep(record).await?, created: false })
    }

    /// Saves what a connector is to be from now on, shows it, and tells its keeper.
    async fn keep(&self, record: Record) -> Result<Arc<Record>, RegistryError> {
        self.shared.save_later(&record).await?;
        let record = Arc::new(record);
        let mut entries = self.shared.entries();
        let Some(entry) = entries.get_mut(&record.name) else { return Err(RegistryError::Stopping) };
        entry.record = Arc::clone(&record);
        entry.desired.send_modify(|desired| desired.record = Arc::clone(&record));
        Ok(record)
    }
}

/// How many tasks a connector has that is to do this.
pub(super) fn tasks_of(target: Target, kept: Option<&Record>, config: &ConnectorConfig) -> u32 {
    match (target, kept) {
        (Target::Running, _) => config.tasks_max.get(),
        (Target::Paused, Some(kept)) if kept.tasks > 0 => config.tasks_max.get(),
        _ => 0,
    }
}

/// The settings with the connector's name in them, as Connect puts it there.
fn named(name: &str, mut config: Settings) -> Settings {
    config.entry("name".to_owned()).or_default().get_or_insert_with(|| name.to_owned());
    config
}

pub(super) async fn on_disk(
    work: impl FnOnce() -> Result<(), StoreError> + Send + 'static,
) -> Result<(), RegistryError> {
    stage::enter("writing to its state.dir");
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| RegistryError::Stopping)?;
    done.map_err(RegistryError::Store)
}
