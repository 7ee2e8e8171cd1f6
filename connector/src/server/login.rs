//! Who asks: HTTP Basic against the file of users. Checking a password takes CPU time and memory on purpose, so it happens on threads of its
//! own, a few at a time, and what was right is remembered for a while, by a hash with a key of this process.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;
use tracing::warn;

use super::lockout::Lockout;
use super::reload::Reload;
use super::users::{NAME_BYTES_MAX, Role, Users};
use crate::config::Secret;

/// How many passwords are checked side by side: each takes 20 MB and a core.
const CHECKS_MAX: usize = 2;

/// How many may wait for that.
const WAITING_MAX: usize = 64;

/// How many credentials are remembered, and for how long.
const REMEMBERED_MAX: usize = 256;
const REMEMBERED_FOR: Duration = Duration::from_secs(5 * 60);

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// He has not said who he is.
    Missing,
    /// He is not who he says.
    Wrong,
    /// He has been wrong too often and has to wait.
    Later(Duration),
    /// Too many wait to be let in.
    Busy,
}

/// Lets users in.
pub(super) struct Login {
    path: PathBuf,
    desk: RwLock<Arc<Desk>>,
    lockout: Mutex<Lockout>,
    checks: Arc<Semaphore>,
    waiting: AtomicUsize,
    key: hmac::Key,
}

/// The users of one reading of the file, and who of them was let in lately: a file read anew forgets them.
#[derive(Debug)]
struct Desk {
    users: Users,
    remembered: Mutex<HashMap<[u8; 32], (Role, Instant)>>,
}

/// Somebody's name and password.
#[derive(Debug)]
struct Credentials {
    name: String,
    password: Secret,
}

/// One of those who wait.
struct Waiting<'a>(&'a AtomicUsize);

// === impl Login ===

impl Login {
    /// `path` is where the users came from.
    pub(super) fn new(path: PathBuf, users: Users) -> Self {
        warn_of(&users);
        // Without random bytes nothing is remembered by a key that could be guessed: it would be made of them.
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).expect("the system gives random bytes");
        Self {
            path,
            desk: RwLock::new(Desk::new(users)),
            lockout: Mutex::default(),
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            waiting: AtomicUsize::new(0),
            key,
        }
    }

    /// What the sender of a request may do.
    pub(super) async fn check(&self, client: IpAddr, headers: &HeaderMap) -> Result<Role, Refused> {
        let given = headers.get(header::AUTHORIZATION).ok_or(Refused::Missing)?;
        let credentials = Credentials::parse(given).ok_or(Refused::Missing)?;
        let desk = Arc::clone(&self.desk.read().unwrap_or_else(PoisonError::into_inner));
        let digest = self.digest(&credentials);
        // Before the lock-out: somebody who was let in goes on working while another guesses from the same address.
        if let Some(role) = desk.recall(&digest, Instant::now()) {
            return Ok(role);
        }
        if credentials.name.len() > NAME_BYTES_MAX {
            return Err(Refused::Wrong);
        }
        if let Some(wait) = self.lockout().wait(Instant::now(), client, &credentials.name) {
            return Err(Refused::Later(wait));
        }
        let waiting = Waiting::begin(&self.waiting).ok_or(Refused::Busy)?;
        // An error means that it was closed, which nobody does.
        let permit = Arc::clone(&self.checks).acquire_owned().await.map_err(|_| Refused::Busy)?;
        drop(waiting);
        // Others with the same password may have waited before.
        if let Some(role) = desk.recall(&digest, Instant::now()) {
            return Ok(role);
        }
        self.lockout().attempt(Instant::now(), client, &credentials.name).map_err(Refused::Later)?;
        let name = credentials.name.clone();
        let users = Arc::clone(&desk);
        // The permit goes along: whoever hangs up does not stop the check.
        let verify = move || {
            let role = users.users.verify(&credentials.name, credentials.password.reveal());
            drop(permit);
            role
        };
        // An error means that the check panicked.
        let Some(role) = tokio::task::spawn_blocking(verify).await.unwrap_or_default() else {
            warn!(%client, user = %shown(&name), "wrong user or password");
            return Err(Refused::Wrong);
        };
        self.lockout().succeeded(client, &name);
        desk.remember(digest, role, Instant::now());
        Ok(role)
    }

    fn lockout(&self) -> std::sync::MutexGuard<'_, Lockout> {
        self.lockout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn digest(&self, credentials: &Credentials) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        // A name has no colon.
        for part in [credentials.name.as_str(), ":", credentials.password.reveal()] {
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Reload for Login {
    fn what(&self) -> &'static str {
        "users of the listener"
    }

    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn take(&self, contents: &[Vec<u8>]) -> Result<(), String> {
        let users = Users::of_bytes(&contents.concat()).map_err(|error| error.to_string())?;
        warn_of(&users);
        *self.desk.write().unwrap_or_else(PoisonError::into_inner) = Desk::new(users);
        Ok(())
    }
}

/// A name may be a password that somebody typed into the wrong field, and is whatever the client sent.
fn shown(name: &str) -> String {
    name.chars().take(32).flat_map(char::escape_debug).collect()
}

fn warn_of(users: &Users) {
    if users.count(Role::Admin) == 0 {
        warn!("no user is an admin, so nothing can be changed over REST");
    }
}

// === impl Desk ===

impl Desk {
    fn new(users: Users) -> Arc<Self> {
        Arc::new(Self { users, remembered: Mutex::default() })
    }

    fn recall(&self, digest: &[u8; 32], now: Instant) -> Option<Role> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (role, since) = remembered.get(digest)?;
        (now.saturating_duration_since(*since) < REMEMBERED_FOR).then_some(*role)
    }

    fn remember(&self, digest: [u8; 32], role: Role, now: Instant) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, (_, since)| now.saturating_duration_since(*since) < REMEMBERED_FOR);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(digest, (role, now));
        }
    }
}

// === impl Credentials ===

impl Credentials {
    /// Of `Basic <base64 of name:password>`; the scheme in any case.
    fn parse(given: &HeaderValue) -> Option<Self> {
        let (scheme, rest) = given.to_str().ok()?.trim().split_once(' ')?;
        let decoded = BASE64.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (name, password) = decoded.split_once(':')?;
        Some(Self { name: name.to_owned(), password: Secret::new(password) })
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Option<Self> {
        let waiting = Self(count);
        // Counted first, so that no two take the last place; taken back as this is dropped.
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::users;
    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn basic(name: &str, password: &str) -> HeaderMap {
        let value = format!("Basic {}", BASE64.encode(format!("{name}:{password}")));
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    fn line(name: &str, role: &str, password: &str) -> String {
        format!("{name} {role} {}\n", users::hash(password).unwrap())
    }

    fn login(text: &str) -> Login {
        Login::new(PathBuf::from("users"), Users::parse(text).unwrap())
    }

    #[test]
    fn credentials_are_read_as_browsers_and_clients_write_them() {
        let parsed = |text: &str| Credentials::parse(&text.parse().unwrap());
        let found = parsed("basic  YW5uOmE6Yg==").unwrap();
        assert_eq!((found.name.as_str(), found.password.reveal()), ("ann", "a:b"), "a colon ends the name only");
        assert_eq!(parsed("Basic Og==").unwrap().name, "");
        for bad in ["Basic", "Basic !!", "Bearer YW5uOmE6Yg==", "Basic YW5u", "Basic /w=="] {
            assert!(parsed(bad).is_none(), "{bad}");
        }
        assert!(!format!("{found:?}").contains("a:b"));
    }

    #[tokio::test]
    async fn a_guesser_waits_and_the_user_elsewhere_and_at_work_does_not() {
        let login = login(&line("ann", "admin", "right-word"));
        let right = basic("ann", "right-word");
        // Whoever was let in is remembered; the guesses come from the same address.
        assert_eq!(login.check(client(1), &right).await, Ok(Role::Admin));
        let mut refused = Vec::new();
        for number in 0..8 {
            refused.push(login.check(client(1), &basic("ann", &format!("guess {number}"))).await.unwrap_err());
        }
        assert_eq!(refused[..6], vec![Refused::Wrong; 6]);
        assert!(matches!(refused[6..], [Refused::Later(_), Refused::Later(_)]), "{refused:?}");
        assert_eq!(login.check(client(1), &right).await, Ok(Role::Admin), "goes on working");
        assert_eq!(login.check(client(2), &right).await, Ok(Role::Admin), "elsewhere");
        // A new reading forgets who was let in, not who guessed.
        login.take(&[line("ann", "admin", "right-word").into_bytes()]).unwrap();
        assert!(matches!(login.check(client(1), &right).await, Err(Refused::Later(_))), "it is no way around the wait");
        assert_eq!(login.check(client(3), &right).await, Ok(Role::Admin));
    }

    #[tokio::test]
    async fn what_was_remembered_is_forgotten_with_the_file() {
        let login = login(&line("ann", "admin", "right-word"));
        assert_eq!(login.check(client(1), &basic("ann", "right-word")).await, Ok(Role::Admin));
        login.take(&[line("ann", "reader", "new-word").into_bytes()]).unwrap();
        assert_eq!(login.check(client(1), &basic("ann", "right-word")).await, Err(Refused::Wrong));
        assert_eq!(login.check(client(1), &basic("ann", "new-word")).await, Ok(Role::Reader));
        login.take(&[b"broken".to_vec()]).unwrap_err();
        assert_eq!(login.check(client(1), &basic("ann", "new-word")).await, Ok(Role::Reader));
        assert_eq!(login.check(client(1), &HeaderMap::new()).await, Err(Refused::Missing));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_first_requests_of_one_user_are_all_let_in_and_few_are_checked_side_by_side() {
        let login = Arc::new(login(&line("ann", "admin", "right-word")));
        let asked: Vec<_> = (0..WAITING_MAX / 2)
            .map(|_| {
                let login = Arc::clone(&login);
                tokio::spawn(async move { login.check(client(1), &basic("ann", "right-word")).await })
            })
            .collect();
        for one in asked {
            assert_eq!(one.await.unwrap(), Ok(Role::Admin));
        }
        let held = Arc::clone(&login.checks).acquire_many_owned(CHECKS_MAX as u32).await.unwrap();
        login.waiting.store(WAITING_MAX, Ordering::Relaxed);
        assert_eq!(login.check(client(1), &basic("bob", "x")).await, Err(Refused::Busy), "the queue is bounded");
        assert_eq!(login.waiting.load(Ordering::Relaxed), WAITING_MAX);
        drop(held);
    }

    #[test]
    fn memory_is_bounded_and_fades() {
        let desk = Desk::new(Users::parse("").unwrap());
        let now = Instant::now();
        for number in 0..2 * REMEMBERED_MAX {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&(number as u64).to_le_bytes());
            desk.remember(digest, Role::Reader, now);
        }
        assert_eq!(desk.remembered.lock().unwrap().len(), REMEMBERED_MAX);
        assert_eq!(desk.recall(&[0; 32], now), Some(Role::Reader));
        assert_eq!(desk.recall(&[0; 32], now + REMEMBERED_FOR), None);
        desk.remember([9; 32], Role::Admin, now + REMEMBERED_FOR);
        assert_eq!(desk.remembered.lock().unwrap().len(), 1, "what has faded makes room");
    }
}
