//! `sluice passwd`: users of the REST API, in the file of `rest.auth.users.file`. A running worker takes the change by itself.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::termios::{self, LocalModes, OptionalActions};
use thiserror::Error;

use crate::cli::passwd::PasswdArgs;
use crate::server::users::{self, Role, Users, UsersError};
use crate::state::atomic;

/// Shorter passwords are guessed too soon.
const LETTERS_MIN: usize = 8;

/// The longest password; it has to fit into a header.
const BYTES_MAX: usize = 1024;

/// What Ctrl-C sends while the terminal does not act upon it.
const CTRL_C: u8 = 3;
/// What Ctrl-D sends, likewise.
const CTRL_D: u8 = 4;

/// Why the file was not changed.
#[derive(Debug, Error)]
pub enum PasswdError {
    /// The name can't be a user's.
    #[error("{name:?} can't be a user: {fault}")]
    Name {
        /// The name.
        name: String,
        /// Why.
        fault: &'static str,
    },
    /// There is no such user to be removed.
    #[error("there is no user {name:?} in {}", path.display())]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The password is none to use.
    #[error("the password {0}")]
    Password(&'static str),
    /// No password was given, or it could not be read.
    #[error("could not read the password")]
    Input(#[source] io::Error),
    /// The file is not there to take somebody out of, or can't be read or written.
    #[error("could not {what} {}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file has a line that is wrong; a user added to it would never be read.
    #[error("{} is damaged, mend it first", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: UsersError,
    },
    /// A password could not be hashed.
    #[error("could not hash the password: {0}")]
    Hash(String),
    /// What was done could not be told.
    #[error("could not write to standard output")]
    Output(#[source] io::Error),
}

/// Adds, changes or removes the user and says so on `out`. The password comes from the terminal, asked for twice, or else is the first line of
/// standard input.
///
/// # Errors
///
/// [`PasswdError`]; the file is as it was then, unless only telling failed.
pub fn run(args: &PasswdArgs, out: &mut impl Write) -> Result<(), PasswdError> {
    change(args, password, out)
}

// === impl PasswdError ===

impl PasswdError {
    /// Whether something else has to be given.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Name { .. } | Self::Unknown { .. } | Self::Password(_) | Self::Damaged { .. })
    }
}

fn change(
    args: &PasswdArgs,
    password: impl FnOnce() -> Result<String, PasswdError>,
    out: &mut impl Write,
) -> Result<(), PasswdError> {
    if let Some(fault) = users::name_fault(&args.name) {
        return Err(PasswdError::Name { name: args.name.clone(), fault });
    }
    let (name, path) = (args.name.as_str(), args.file.as_path());
    let text = read(path, args.remove)?;
    let parsed = Users::parse(&text).map_err(|source| PasswdError::Damaged { path: path.to_owned(), source })?;
    let there = parsed.role(name);
    let (text, told) = if args.remove {
        there.ok_or_else(|| PasswdError::Unknown { name: name.to_owned(), path: path.to_owned() })?;
        (users::without_user(&text, name), format!("{name} was removed from {}", path.display()))
    } else {
        let role = args.role.map(Role::from).or(there).unwrap_or(Role::Reader);
        let hash = users::hash(&checked(password()?)?).map_err(PasswdError::Hash)?;
        let done = if there.is_some() { "changed" } else { "added" };
        (users::with_user(&text, name, role, &hash), format!("{name} ({role}) was {done} in {}", path.display()))
    };
    write(path, &text)?;
    writeln!(out, "{told}").map_err(PasswdError::Output)?;
    if Users::parse(&text).is_ok_and(|users| users.count(Role::Admin) == 0) {
        writeln!(out, "no user in it is an admin now: nothing can be changed over REST")
            .map_err(PasswdError::Output)?;
    }
    Ok(())
}

fn read(path: &Path, must_be_there: bool) -> Result<String, PasswdError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_be_there => Ok(String::new()),
        Err(source) => Err(PasswdError::File { what: "read", path: path.to_owned(), source }),
    }
}

/// Replaces the file in one step; it belongs to whom it belonged, and only he may read it. A link stays a link.
fn write(path: &Path, text: &str) -> Result<(), PasswdError> {
    let failed = |source| PasswdError::File { what: "write", path: path.to_owned(), source };
    let before = fs::metadata(path).ok();
    let target = if before.is_some() { path.canonicalize() } else { std::path::absolute(path) }.map_err(failed)?;
    atomic::write(&target, text.as_bytes()).map_err(failed)?;
    if let Some(before) = before {
        let after = fs::metadata(&target).map_err(failed)?;
        let (owner, group) = (before.uid(), before.gid());
        if (owner, group) != (after.uid(), after.gid()) {
            std::os::unix::fs::chown(&target, Some(owner), Some(group)).map_err(failed)?;
        }
    }
    Ok(())
}

fn checked(password: String) -> Result<String, PasswdError> {
    if password.chars().any(char::is_control) {
        return Err(PasswdError::Password("has letters in it that nobody can see (control characters)"));
    }
    if password.chars().count() < LETTERS_MIN {
        return Err(PasswdError::Password("has to have at least 8 letters"));
    }
    if password.len() > BYTES_MAX {
        return Err(PasswdError::Password("has more than 1024 bytes"));
    }
    Ok(password)
}

fn password() -> Result<String, PasswdError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        let mut line = String::new();
        // A little more than is allowed, to see that it is too much.
        let read = stdin.lock().take(BYTES_MAX as u64 + 2).read_line(&mut line).map_err(PasswdError::Input)?;
        if read == 0 {
            return Err(PasswdError::Input(io::Error::new(io::ErrorKind::UnexpectedEof, "standard input is empty")));
        }
        let line = line.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).unwrap_or(&line);
        return Ok(line.to_owned());
    }
    let first = prompt("password: ").map_err(PasswdError::Input)?;
    let second = prompt("once more: ").map_err(PasswdError::Input)?;
    if first == second { Ok(first) } else { Err(PasswdError::Password("was another one the second time")) }
}

/// Asks on the terminal and shows nothing of the answer.
fn prompt(question: &str) -> io::Result<String> {
    let stdin = io::stdin();
    let mut stdin = stdin.lock();
    let before = termios::tcgetattr(&stdin)?;
    let mut silent = before.clone();
    // Ctrl-C comes as a letter, because a process that it ends would leave a terminal behind that shows nothing.
    silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    let mut stderr = io::stderr();
    stderr.write_all(question.as_bytes())?;
    stderr.flush()?;
    termios::tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
    let line = typed(&mut stdin);
    termios::tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    stderr.write_all(b"\n")?;
    line
}

/// A line as it is typed, letter by letter.
fn typed(input: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut letter = [0];
    loop {
        if input.read(&mut letter)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match letter[0] {
            b'\n' | b'\r' => break,
            CTRL_C | CTRL_D => return Err(io::Error::new(io::ErrorKind::Interrupted, "given up")),
            // Backspace takes a whole letter back, of which UTF-8 may have several bytes.
            8 | 127 => while line.pop().is_some_and(|byte: u8| byte & 0xC0 == 0x80) {},
            byte => line.push(byte),
        }
    }
    String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests;
