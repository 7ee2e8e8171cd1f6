//! `sluice passwd`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::server::users;

/// `sluice passwd`.
#[derive(Debug, Args)]
pub struct PasswdArgs {
    /// The file of users (rest.auth.users.file); made if it is not there.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The user.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What the user may do. Default: what he may do now; somebody new is a reader.
    #[arg(long, value_enum, conflicts_with = "remove")]
    pub role: Option<RoleArg>,
    /// Take the user away instead.
    #[arg(long)]
    pub remove: bool,
}

/// `--role`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// Look and change nothing.
    Reader,
    /// Everything.
    Admin,
}

impl From<RoleArg> for users::Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Reader => Self::Reader,
            RoleArg::Admin => Self::Admin,
        }
    }
}
