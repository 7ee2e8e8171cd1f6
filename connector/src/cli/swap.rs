//! `sluice swap` and `sluice rollback`.

use std::path::PathBuf;

use clap::Args;

use super::rest::TargetArgs;

/// `sluice swap`.
#[derive(Debug, Args)]
pub struct SwapArgs {
    /// The connector whose transform is to be replaced.
    pub connector: String,
    /// The module: a file, or `sha256:DIGEST` of one that is kept. A signature is taken from FILE.sig.
    #[arg(value_name = "FILE")]
    pub module: PathBuf,
    /// Everything but the switch: shows what the module would make of the last records.
    #[arg(long)]
    pub dry_run: bool,
    /// Where the worker is.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `sluice rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The connector that is to go back to the version before.
    pub connector: String,
    /// Where the worker is.
    #[command(flatten)]
    pub target: TargetArgs,
}
