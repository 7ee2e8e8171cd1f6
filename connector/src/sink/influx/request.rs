//! The requests of each product, built once: address, parameters, credentials.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Request, Url};

use super::InfluxError;
use crate::config::{InfluxConfig, Product, Secret, VersionSetting};
use crate::http::{self, AddressFault, at};

/// Every request a client makes, without its body.
#[derive(Debug)]
pub(super) struct Requests {
    base: String,
    ping: Request,
    empty_write: Request,
    writes: [Write; 3],
}

/// A product's write, or the settings it lacks.
#[derive(Debug)]
enum Write {
    Ready { request: Box<Request>, description: String },
    Missing(Vec<&'static str>),
}

/// Checks `influx.url`: a scheme and a host, maybe a path. Credentials belong into settings of their own, where they are not logged.
pub(super) fn base_url(written: &str) -> Result<Url, InfluxError> {
    http::base_url(written).map_err(|fault| {
        let why = match fault {
            AddressFault::Credentials => "put user and password into influx.username and influx.password".to_owned(),
            AddressFault::Query => "leave the part from ? or # on out, it is made from the other settings".to_owned(),
            fault => fault.to_string(),
        };
        InfluxError::Url { url: http::redacted(written), why }
    })
}

// === impl Requests ===

impl Requests {
    pub(super) fn build(http: &Client, base: &Url, config: &InfluxConfig) -> Result<Self, InfluxError> {
        let write = |product| match missing(config, product) {
            missing if missing.is_empty() => ready(http, base, config, product),
            missing => Ok(Write::Missing(missing)),
        };
        let writes = [write(Product::V1)?, write(Product::V2)?, write(Product::V3)?];
        if let VersionSetting::Fixed(product) = config.version {
            let missing = missing(config, product);
            if !missing.is_empty() {
                return Err(InfluxError::Missing { product, missing });
            }
        }
        let mut ping = Request::new(Method::GET, at(base, &["ping"]));
        // InfluxDB 2 and 3 both take a token under this name; InfluxDB 1 wants a user.
        let credentials = if config.username.is_some() { Product::V1 } else { Product::V3 };
        authorize(http, &mut ping, config, credentials)?;
        let mut empty_write = Request::new(Method::POST, at(base, &["write"]));
        let database = config.database.as_deref().or(config.bucket.as_deref()).unwrap_or("sluice");
        empty_write.url_mut().query_pairs_mut().append_pair("db", database);
        authorize(http, &mut empty_write, config, Product::V1)?;
        let base = base.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base, ping, empty_write, writes })
    }

    /// `influx.url`, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn ping(&self) -> Request {
        cloned(&self.ping)
    }

    pub(super) fn empty_write(&self) -> Request {
        cloned(&self.empty_write)
    }

    /// The settings that `product` needs and that are missing.
    pub(super) fn missing(&self, product: Product) -> &[&'static str] {
        match self.of(product) {
            Write::Ready { .. } => &[],
            Write::Missing(missing) => missing,
        }
    }

    /// "POST http://…", if the product can be written to.
    pub(super) fn describe(&self, product: Product) -> Option<&str> {
        match self.of(product) {
            Write::Ready { description, .. } => Some(description),
            Write::Missing(_) => None,
        }
    }

    /// The write, without its body.
    ///
    /// # Panics
    /// If settings are missing, which [`Requests::describe`] tells.
    pub(super) fn write(&self, product: Product) -> Request {
        match self.of(product) {
            Write::Ready { request, .. } => cloned(request),
            Write::Missing(missing) => unreachable!("{product} lacks {missing:?}"),
        }
    }

    fn of(&self, product: Product) -> &Write {
        match product {
            Product::V1 => &self.writes[0],
            Product::V2 => &self.writes[1],
            Product::V3 => &self.writes[2],
        }
    }
}

/// Keys that `product` needs and `config` lacks. A token is not among them: InfluxDB 3 runs without, and stores that speak like
/// InfluxDB 2 have none.
fn missing(config: &InfluxConfig, product: Product) -> Vec<&'static str> {
    let needed = match product {
        Product::V1 | Product::V3 => vec![("influx.database", &config.database)],
        Product::V2 => vec![("influx.org", &config.org), ("influx.bucket", &config.bucket)],
    };
    needed.into_iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect()
}

fn ready(http: &Client, base: &Url, config: &InfluxConfig, product: Product) -> Result<Write, InfluxError> {
    let path: &[&str] = match product {
        Product::V1 => &["write"],
        Product::V2 => &["api", "v2", "write"],
        Product::V3 => &["api", "v3", "write_lp"],
    };
    // Always named: left out, InfluxDB 3 guesses the unit from each timestamp. And spelt out, because InfluxDB 3 before 3.6 knows no other form.
    let precision = if product == Product::V3 { "nanosecond" } else { "ns" };
    let places = match product {
        Product::V1 => [("db", &config.database), ("rp", &config.retention_policy)],
        Product::V2 => [("org", &config.org), ("bucket", &config.bucket)],
        Product::V3 => [("db", &config.database), ("rp", &None)],
    };
    let mut url = at(base, path);
    for (name, value) in places {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    url.query_pairs_mut().append_pair("precision", precision);
    let description = format!("POST {url}");
    let mut request = Request::new(Method::POST, url);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    authorize(http, &mut request, config, product)?;
    Ok(Write::Ready { request: Box::new(request), description })
}

/// Puts the credentials of `product` into the header: never into the address, which servers and proxies log.
fn authorize(http: &Client, request: &mut Request, config: &InfluxConfig, product: Product) -> Result<(), InfluxError> {
    if product == Product::V1
        && let Some(username) = &config.username
    {
        let basic = http.get(request.url().clone()).basic_auth(username, config.password.as_ref().map(Secret::reveal));
        let built = basic.build().map_err(|_| InfluxError::Credential { key: "influx.username" })?;
        request.headers_mut().extend(built.headers().get(AUTHORIZATION).map(|value| (AUTHORIZATION, value.clone())));
        return Ok(());
    }
    let Some(token) = &config.token else { return Ok(()) };
    // InfluxDB 2's own scheme, which 1.8 knows too; InfluxDB 3's is `Bearer`, and it is particular about the case.
    let scheme = if product == Product::V3 { "Bearer" } else { "Token" };
    let credential = format!("{scheme} {}", token.reveal());
    let mut value = HeaderValue::try_from(credential).map_err(|_| InfluxError::Credential { key: "influx.token" })?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

fn cloned(request: &Request) -> Request {
    request.try_clone().expect("a request without a body can be cloned")
}
