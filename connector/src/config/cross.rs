//! What one key demands of another.

use super::read::Reader;
use super::{InfluxConfig, Product};

/// InfluxDB 3 refuses larger requests, before and after decompression, unless started with another `--max-http-request-size`.
const V3_REQUEST_BYTES_MAX: i64 = 10_485_760;

/// InfluxDB 1 refuses larger bodies unless its `max-body-size` was changed.
const V1_BODY_BYTES_MAX: i64 = 25_000_000;

/// Checks all keys that depend on one another.
pub(super) fn check(reader: &mut Reader) {
    topics(reader);
    destination(reader);
    credentials(reader);
    unused(reader);
    tls(reader);
    sizes(reader);
    timeouts(reader);
    super::errors::check(reader);
}

fn topics(reader: &mut Reader) {
    match (reader.has("topics"), reader.has("topics.regex")) {
        (true, true) => reader.problem("topics.regex", "cannot be given together with topics: remove one"),
        (false, false) => reader.problem("topics", "is missing: give topics or topics.regex"),
        _ => {}
    }
}

/// The keys this InfluxDB needs to know where to write and does not have.
fn lacking(product: Product, has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let needed: &[&'static str] = match product {
        Product::V1 | Product::V3 => &["influx.database"],
        Product::V2 => &["influx.org", "influx.bucket"],
    };
    needed.iter().filter(|key| !has(key)).copied().collect()
}

fn fixed(reader: &Reader) -> Option<Product> {
    match reader.word("influx.version").as_str() {
        "1" => Some(Product::V1),
        "2" => Some(Product::V2),
        "3" => Some(Product::V3),
        _ => None,
    }
}

fn destination(reader: &mut Reader) {
    let missing = match fixed(reader) {
        Some(product) => {
            let lacking = lacking(product, |key| reader.has(key));
            lacking.into_iter().map(|key| (key, format!("is missing: {product} needs it"))).collect()
        }
        None => match (reader.has("influx.database"), reader.has("influx.org"), reader.has("influx.bucket")) {
            (_, true, false) => vec![("influx.bucket", "is missing: influx.org is of no use without it".to_owned())],
            (_, false, true) => vec![("influx.org", "is missing: influx.bucket is of no use without it".to_owned())],
            (false, false, false) => {
                let both = "is missing: with influx.version=auto either influx.database (InfluxDB 1 and 3), or influx.org and influx.bucket (InfluxDB 2) are needed";
                vec![("influx.database", both.to_owned())]
            }
            _ => Vec::new(),
        },
    };
    for (key, what) in missing {
        reader.problem(key, what);
    }
}

fn credentials(reader: &mut Reader) {
    match (reader.has("influx.username"), reader.has("influx.password")) {
        (true, false) => reader.problem("influx.password", "is missing: influx.username needs it"),
        (false, true) => reader.problem("influx.username", "is missing: influx.password needs it"),
        _ => {}
    }
    if fixed(reader) == Some(Product::V2) && !reader.has("influx.token") {
        reader.warn("influx.token", "is missing: InfluxDB 2 answers nobody without one, unless a proxy adds it");
    }
}

/// Warns of keys that the InfluxDB asked for has no place for.
fn unused(reader: &mut Reader) {
    let Some(product) = fixed(reader) else { return };
    let unused: &[&str] = match product {
        // Without a user a token is sent: InfluxDB 1.8 and stores that speak like it take one.
        Product::V1 if reader.has("influx.username") => &["influx.org", "influx.bucket", "influx.token"],
        Product::V1 => &["influx.org", "influx.bucket"],
        Product::V2 => &["influx.database", "influx.retention.policy", "influx.username", "influx.password"],
        Product::V3 => {
            &["influx.org", "influx.bucket", "influx.retention.policy", "influx.username", "influx.password"]
        }
    };
    for key in unused {
        if reader.has(key) {
            reader.warn(key, format!("has no effect: with these settings {product} does not use it"));
        }
    }
}

fn tls(reader: &mut Reader) {
    let plain = reader.text("influx.url").is_some_and(|url| url.to_ascii_lowercase().starts_with("http://"));
    let insecure = reader.bool("influx.tls.insecure");
    if plain {
        for key in ["influx.tls.ca.location", "influx.tls.insecure"] {
            if reader.has(key) && (key != "influx.tls.insecure" || insecure) {
                reader.warn(key, "has no effect: influx.url begins with http://");
            }
        }
    } else if insecure {
        reader.warn(
            "influx.tls.insecure",
            "the server's certificate is not checked: whoever is on the way can read and change what is written",
        );
        if reader.has("influx.tls.ca.location") {
            reader.warn("influx.tls.ca.location", "has no effect: influx.tls.insecure=true");
        }
    }
}

fn sizes(reader: &mut Reader) {
    let bytes = reader.int("batch.max.bytes");
    let limit = match fixed(reader) {
        Some(Product::V1) => V1_BODY_BYTES_MAX,
        Some(Product::V3) => V3_REQUEST_BYTES_MAX,
        Some(Product::V2) | None => return,
    };
    if bytes > limit {
        reader
            .warn("batch.max.bytes", format!("is more than this InfluxDB takes unless it was told to: {limit} bytes"));
    }
}

fn timeouts(reader: &mut Reader) {
    if reader.is_given("influx.connect.timeout.ms")
        && reader.millis("influx.connect.timeout.ms") > reader.millis("influx.request.timeout.ms")
    {
        reader.warn(
            "influx.connect.timeout.ms",
            "is longer than influx.request.timeout.ms, which ends the request first",
        );
    }
}

// === impl InfluxConfig ===

impl InfluxConfig {
    /// Whether this names a place to write to in the InfluxDB that was found: with `influx.version=auto` it is known only then.
    ///
    /// # Errors
    /// Which keys are missing for it, as a sentence for a person.
    pub fn for_product(&self, product: Product) -> Result<(), String> {
        let lacking = lacking(product, |key| match key {
            "influx.database" => self.database.is_some(),
            "influx.org" => self.org.is_some(),
            _ => self.bucket.is_some(),
        });
        match lacking.as_slice() {
            [] => Ok(()),
            keys => Err(format!("the server at {} is {product}, which needs {}", self.url, keys.join(" and "))),
        }
    }
}
