//! Who has to wait before his next password is looked at: a user's name from an address that has sent wrong ones. Another address does not
//! wait, so nobody can lock a user out from elsewhere. Pure: time comes from outside.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Wrong passwords without consequences.
const FREE: u32 = 5;

/// The wait after the next one; it doubles with each more.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// When wrong passwords are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);

/// How many pairs of address and name are kept in mind. Beyond it the one that was quiet for longest is forgotten: filling the table takes
/// longer than any wait, because every line of it is a password that was checked.
const PAIRS_MAX: usize = 4096;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Lockout {
    pairs: HashMap<(IpAddr, String), Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    until: Instant,
    latest: Instant,
}

// === impl Lockout ===

impl Lockout {
    /// How long this pair still has to wait.
    pub(super) fn wait(&self, now: Instant, client: IpAddr, name: &str) -> Option<Duration> {
        let failures = self.pairs.get(&(network(client), name.to_owned()))?;
        failures.until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// An attempt begins: counted as a wrong one until [`Lockout::succeeded`], so that attempts side by side are no way around the wait.
    /// The wait, if there is one; then the password must not be looked at, and the attempt does not count.
    pub(super) fn attempt(&mut self, now: Instant, client: IpAddr, name: &str) -> Result<(), Duration> {
        if let Some(wait) = self.wait(now, client, name) {
            return Err(wait);
        }
        let pair = (network(client), name.to_owned());
        if !self.pairs.contains_key(&pair) {
            self.make_room(now);
        }
        let failures = self.pairs.entry(pair).or_insert(Failures { count: 0, until: now, latest: now });
        if now.saturating_duration_since(failures.latest) >= FORGOTTEN_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.latest = now;
        if let Some(beyond) = failures.count.checked_sub(FREE + 1) {
            failures.until = now + FIRST_WAIT.saturating_mul(2u32.saturating_pow(beyond)).min(WAIT_MAX);
        }
        Ok(())
    }

    /// The password was right.
    pub(super) fn succeeded(&mut self, client: IpAddr, name: &str) {
        self.pairs.remove(&(network(client), name.to_owned()));
    }

    fn make_room(&mut self, now: Instant) {
        if self.pairs.len() < PAIRS_MAX {
            return;
        }
        self.pairs.retain(|_, failures| now.saturating_duration_since(failures.latest) < FORGOTTEN_AFTER);
        if self.pairs.len() >= PAIRS_MAX
            && let Some(oldest) =
                self.pairs.iter().min_by_key(|(_, failures)| failures.latest).map(|(pair, _)| pair.clone())
        {
            self.pairs.remove(&oldest);
        }
    }
}

/// What one client has: an address of IPv4 (also in the clothes of IPv6), or the 64 bits of IPv6 whose rest it chooses itself.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How long the pair has to wait after each of `count` wrong passwords, each sent as early as it may be.
    fn waits(lockout: &mut Lockout, mut now: Instant, client: IpAddr, count: usize) -> Vec<u64> {
        let mut waits = Vec::new();
        for _ in 0..count {
            lockout.attempt(now, client, "ann").unwrap();
            let wait = lockout.wait(now, client, "ann").unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
        }
        waits
    }

    #[test]
    fn waits_grow_to_a_minute_and_are_of_one_address_and_name() {
        let (mut lockout, now, here) = (Lockout::default(), Instant::now(), ip("10.0.0.1"));
        assert_eq!(waits(&mut lockout, now, here, 13), [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        lockout.attempt(now, here, "ann").unwrap_err();
        lockout.attempt(now, ip("::ffff:10.0.0.1"), "ann").unwrap_err();
        lockout.attempt(now, here, "bob").unwrap();
        lockout.attempt(now, ip("10.0.0.2"), "ann").unwrap();
        lockout.succeeded(here, "ann");
        assert_eq!(lockout.wait(now, here, "ann"), None);
    }

    #[test]
    fn an_attempt_that_was_refused_does_not_prolong_the_wait() {
        let (mut lockout, now, here) = (Lockout::default(), Instant::now(), ip("10.0.0.1"));
        waits(&mut lockout, now, here, 6);
        for _ in 0..100 {
            lockout.attempt(now, here, "ann").unwrap_err();
        }
        lockout.attempt(now + FIRST_WAIT, here, "ann").unwrap();
    }

    #[test]
    fn one_network_of_ipv6_is_one_client() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        waits(&mut lockout, now, ip("2001:db8::1"), 6);
        lockout.attempt(now, ip("2001:db8::2"), "ann").unwrap_err();
        lockout.attempt(now, ip("2001:db8:0:1::2"), "ann").unwrap();
    }

    #[test]
    fn the_table_is_bounded_and_forgets() {
        let (mut lockout, now, here) = (Lockout::default(), Instant::now(), ip("10.0.0.1"));
        waits(&mut lockout, now, here, 6);
        for number in 0..2 * PAIRS_MAX {
            lockout.attempt(now + Duration::from_millis(1), here, &number.to_string()).unwrap();
        }
        assert_eq!(lockout.pairs.len(), PAIRS_MAX);
        let later = now + FORGOTTEN_AFTER + WAIT_MAX;
        lockout.attempt(later, here, "new").unwrap();
        assert_eq!(lockout.pairs.len(), 1, "what is forgotten makes room first");
        waits(&mut lockout, later, here, 7);
        assert_eq!(waits(&mut lockout, later + FORGOTTEN_AFTER + WAIT_MAX, here, 6).last(), Some(&1), "counted anew");
    }
}
