//! The commands that ask a running worker over Kafka Connect's REST API, ours or any other: `sluice list`, `status`, `pause`, `resume`,
//! `stop`, `restart`, `delete`, `offsets`, `apply` and `health`.
//!
//! - `worker` asks (address, user, authorities, time limits), `answer` is what came of it, `error` why it is no use; `sluice swap` and `rollback` ask by it, too
//! - `screen` and `table` print; `bodies` is what is read of Connect's answers
//! - `list`, `status` with `watch`, `change` with `goal` (pause, resume, stop, delete) and `restart`, [`offsets`], `apply` with `diff`, `health`: the commands

mod answer;
mod apply;
mod bodies;
mod change;
mod diff;
mod error;
mod goal;
mod health;
mod list;
pub mod offsets;
mod restart;
mod screen;
mod status;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod watch;
mod worker;

use crate::cli::rest::RestCommand;
pub use answer::Answer;
pub use error::ClientError;
pub use screen::Screen;
pub use worker::Worker;

/// Runs a command. Gives back whether all that was asked for is well: `false` stands for exit code 1 where what is wrong is printed already.
///
/// # Errors
///
/// If the command can't be carried out.
pub async fn run(command: &RestCommand, screen: &mut Screen<'_>) -> Result<bool, ClientError> {
    match command {
        RestCommand::List(args) => list::run(args, screen).await.map(|()| true),
        RestCommand::Status(args) => status::run(args, screen).await,
        RestCommand::Pause(args) => change::run(change::Action::Pause, args, screen).await,
        RestCommand::Resume(args) => change::run(change::Action::Resume, args, screen).await,
        RestCommand::Stop(args) => change::run(change::Action::Stop, args, screen).await,
        RestCommand::Delete(args) => change::delete(args, screen).await,
        RestCommand::Restart(args) => restart::run(args, screen).await.map(|()| true),
        RestCommand::Offsets(args) => offsets::run(args, screen).await.map(|()| true),
        RestCommand::Apply(args) => apply::run(args, screen).await,
        RestCommand::Health(args) => health::run(args, screen).await,
    }
}
