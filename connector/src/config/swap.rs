//! Hot swap: what a new version of the transform has to pass, how it takes over, and when it is taken back.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::read::Reader;

/// How a running transform is replaced (`transform.watch` and what follows it).
#[derive(Debug, Clone, PartialEq)]
pub struct SwapConfig {
    /// Whether the module's file is watched.
    pub watch: bool,
    /// How long a new version is on probation; zero for not at all.
    pub probation: Duration,
    /// The share of refused records, above that of the version before, at which a version on probation is taken back.
    pub max_error_rate: f64,
    /// On how many partitions a new version runs while it is on probation; `None` for all.
    pub canary_partitions: Option<NonZeroUsize>,
    /// Whether the tasks of this process wait for each other before they change.
    pub barrier: bool,
    /// Which difference between old and new refuses a candidate.
    pub shadow: ShadowRequire,
    /// Whether modules may be uploaded over REST.
    pub upload: bool,
    /// What may run at all.
    pub policy: PolicyConfig,
    /// What the compiler may use.
    pub compile: CompileLimits,
}

/// What a candidate's output on the last records has to have in common with the running version's (`transform.shadow.require`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShadowRequire {
    /// Every line and every reject.
    Equal,
    /// It rejects no record that the running version does not.
    NoNewRejects,
    /// Nothing.
    None,
}

/// Which modules may run (`transform.require.*`). Modules shipped inside the program are not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyConfig {
    /// Only those with one of these digests (lower-case hexadecimal), if there are any.
    pub digests: Vec<String>,
    /// Only those whose digest is signed by a key of the worker's `transform.signature.keys`.
    pub signature: bool,
}

/// What compiling one module may use; whatever needs more is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time, and time by the clock.
    pub timeout: Duration,
    /// Address space of the compiler's process, in bytes.
    pub memory_max_bytes: u64,
}

// === impl SwapConfig ===

impl SwapConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            watch: reader.bool("transform.watch"),
            probation: reader.millis("transform.probation.ms"),
            max_error_rate: reader
                .text("transform.probation.max.error.rate")
                .and_then(|rate| rate.parse().ok())
                .unwrap_or(0.01),
            canary_partitions: NonZeroUsize::new(
                usize::try_from(reader.int("transform.canary.partitions")).unwrap_or(0),
            ),
            barrier: reader.bool("transform.swap.barrier"),
            shadow: match reader.word("transform.shadow.require").as_str() {
                "equal" => ShadowRequire::Equal,
                "none" => ShadowRequire::None,
                _ => ShadowRequire::NoNewRejects,
            },
            upload: reader.bool("transform.upload.enable"),
            policy: PolicyConfig {
                digests: reader.parsed("transform.require.digest", parse_digests).unwrap_or_default(),
                signature: reader.bool("transform.require.signature"),
            },
            compile: CompileLimits {
                timeout: reader.millis("transform.compile.timeout.ms"),
                memory_max_bytes: reader.int("transform.compile.memory.max.bytes").unsigned_abs(),
            },
        }
    }
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), memory_max_bytes: 2 << 30 }
    }
}

/// A sha256 in hexadecimal, in lower case.
pub(super) fn parse_digest(text: &str) -> Result<String, String> {
    let digest = text.to_ascii_lowercase();
    let legal = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if legal { Ok(digest) } else { Err("is no sha256: it has 64 digits of 0-9 a-f".to_owned()) }
}

fn parse_digests(list: &str) -> Result<Vec<String>, String> {
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| parse_digest(item.strip_prefix("sha256:").unwrap_or(item))).collect()
}
