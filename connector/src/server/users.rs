//! The file of users: a line for each, `name role hash`, with the argon2id hash of his password; blank lines and those that begin with
//! `#` say nothing.

use std::collections::BTreeMap;
use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

/// The longest name of a user.
pub const NAME_BYTES_MAX: usize = 128;

/// What a check of a password may cost, so that no file makes one take the worker's memory: 256 MiB, ten passes, 16 lanes.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 10;
const LANES_MAX: u32 = 16;

const SALT_BYTES: usize = 16;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Look: GET, HEAD and OPTIONS.
    Reader,
    /// Everything.
    Admin,
}

/// What is wrong with a file of users. Shows nothing of it, as a password may stand where its hash belongs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UsersError {
    /// A line is wrong.
    #[error("line {line}: {what}; a line is `NAME ROLE HASH`, and `sluice passwd FILE NAME` writes it")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// It is no text.
    #[error("it is not UTF-8 text")]
    NoText,
    /// There is nobody in it.
    #[error("there is no user in it, so nobody could do anything; `sluice passwd FILE NAME --role admin` adds one")]
    Empty,
}

/// Who may do what.
#[derive(Clone)]
pub struct Users {
    users: BTreeMap<String, (Role, PasswordHash)>,
}

// === impl Role ===

impl Role {
    /// The word that stands for it in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Admin => "admin",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Reader, Self::Admin].into_iter().find(|role| role.word() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

// === impl Users ===

impl Users {
    /// The users of a file that somebody can log in with.
    ///
    /// # Errors
    ///
    /// The first line that is wrong, or that there is no user.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, UsersError> {
        let users = Self::parse(std::str::from_utf8(bytes).map_err(|_| UsersError::NoText)?)?;
        if users.users.is_empty() { Err(UsersError::Empty) } else { Ok(users) }
    }

    /// The users of a text, which may be none.
    ///
    /// # Errors
    ///
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let wrong = |what| UsersError::Line { line: at + 1, what };
            let (name, user) = parse_line(line).map_err(wrong)?;
            if users.insert(name.to_owned(), user).is_some() {
                return Err(wrong("this name stands further up already"));
            }
        }
        Ok(Self { users })
    }

    /// What this user may do, if there is one.
    pub fn role(&self, name: &str) -> Option<Role> {
        self.users.get(name).map(|(role, _)| *role)
    }

    /// How many may do this.
    pub fn count(&self, role: Role) -> usize {
        self.users.values().filter(|(found, _)| *found == role).count()
    }

    /// What the user may do if this is his password. Takes some ten milliseconds of CPU time, as long for a name that is not there.
    pub fn verify(&self, name: &str, password: &str) -> Option<Role> {
        let known = self.users.get(name);
        let (_, hash) = known.or_else(|| self.users.values().next())?;
        let fits = Argon2::default().verify_password(password.as_bytes(), hash).is_ok();
        known.filter(|_| fits).map(|(role, _)| *role)
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.users.iter().map(|(name, (role, _))| (name, role))).finish()
    }
}

/// Why a name can't be a user's, if it can't.
pub fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Some("the name has no letter, or more than 128");
    }
    // HTTP Basic ends a name at the colon, the file at a blank.
    let bad = |letter: char| letter == ':' || letter.is_whitespace() || letter.is_control();
    if name.contains(bad) || name.starts_with('#') {
        return Some("the name has a colon or a blank in it, or begins with #");
    }
    None
}

/// The hash of a password with a salt of its own.
///
/// # Errors
///
/// If the system gives no random bytes.
pub fn hash(password: &str) -> Result<String, String> {
    let mut salt = [0; SALT_BYTES];
    SystemRandom::new().fill(&mut salt).map_err(|_| "the system gives no random bytes".to_owned())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
    let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

/// The text with a user's line added or put in the place of the one he has.
pub fn with_user(text: &str, name: &str, role: Role, hash: &str) -> String {
    let new = format!("{name} {role} {hash}");
    let mut found = false;
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        if is_line_of(line, name) {
            found = true;
            lines.push(&new);
        } else {
            lines.push(line);
        }
    }
    if !found {
        lines.push(&new);
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The text without a user's line.
pub fn without_user(text: &str, name: &str) -> String {
    text.lines().filter(|line| !is_line_of(line, name)).map(|line| format!("{line}\n")).collect()
}

fn is_line_of(line: &str, name: &str) -> bool {
    line.split_whitespace().next() == Some(name)
}

fn parse_line(line: &str) -> Result<(&str, (Role, PasswordHash)), &'static str> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(role), Some(hash), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err("these are not three words");
    };
    if let Some(fault) = name_fault(name) {
        return Err(fault);
    }
    let role = Role::of_word(role).ok_or("the role is neither reader nor admin")?;
    let hash = PasswordHash::new(hash).map_err(|_| "the hash is no argon2id hash ($argon2id$…)")?;
    let is_whole = hash.salt.is_some() && hash.hash.is_some();
    if !is_whole || hash.algorithm != Algorithm::Argon2id.ident() {
        return Err("the hash is no argon2id hash ($argon2id$…)");
    }
    let params = Params::try_from(&hash).map_err(|_| "the hash has parameters that argon2 does not know")?;
    if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX || params.p_cost() > LANES_MAX {
        return Err("the hash costs more than a check may: m is at most 262144, t 10, p 16");
    }
    Ok((name, (role, hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_log_in_with_what_was_hashed_and_nothing_else() {
        let (one, two) = (hash("one's word").unwrap(), hash("one's word").unwrap());
        assert_ne!(one, two, "each has a salt of its own");
        let text = format!("# people\n\none admin {one}\n  two\treader  {two}  \r\n");
        let users = Users::of_bytes(text.as_bytes()).unwrap();
        assert_eq!(users.verify("one", "one's word"), Some(Role::Admin));
        assert_eq!(users.verify("two", "one's word"), Some(Role::Reader));
        for (name, password) in
            [("one", "another"), ("one", ""), ("three", "one's word"), ("", ""), ("ONE", "one's word")]
        {
            assert_eq!(users.verify(name, password), None, "{name} {password}");
        }
        assert!(!format!("{users:?}").contains("argon2"));
    }

    #[test]
    fn a_wrong_line_is_named_and_not_shown() {
        let good = hash("secret-word").unwrap();
        let costly = good.replace("m=19456", "m=1048576");
        assert_ne!(costly, good);
        let other = good.replace("argon2id", "argon2i");
        let bad = [
            "ann admin secret-word".to_owned(),
            "ann admin".to_owned(),
            format!("ann root {good}"),
            format!("a:n admin {good}"),
            format!("ann admin {good} more"),
            format!("ann admin {costly}"),
            format!("ann admin {other}"),
            "ann admin $argon2id$v=19$m=19456,t=2,p=1".to_owned(),
            format!("bob admin {good}"),
        ];
        for line in bad {
            let error = Users::parse(&format!("bob reader {good}\n\n{line}\n")).unwrap_err();
            assert!(matches!(error, UsersError::Line { line: 3, .. }), "{line}: {error}");
            assert!(!error.to_string().contains("secret-word"), "{error}");
        }
        assert_eq!(Users::of_bytes(b"# nobody\n").unwrap_err(), UsersError::Empty);
        assert_eq!(Users::of_bytes(b"\xff").unwrap_err(), UsersError::NoText);
    }

    #[test]
    fn lines_are_replaced_where_they_stand() {
        let text = "# people\nann admin x\nbob reader y";
        assert_eq!(with_user(text, "ann", Role::Reader, "z"), "# people\nann reader z\nbob reader y\n");
        assert_eq!(with_user(text, "an", Role::Admin, "z"), "# people\nann admin x\nbob reader y\nan admin z\n");
        assert_eq!(without_user(text, "ann"), "# people\nbob reader y\n");
    }
}
