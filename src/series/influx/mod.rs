//! InfluxDB 2 over HTTP: the connection, and what its answers mean to us.
//!
//! [`line`] writes lines, [`write`] delivers them, [`query`] reads back, [`admin`] sets up. Retrying is left to the writer.
//! Invariant: every answer is classified by what the caller does about it, no body is read past its limit, and no error text
//! holds the token or what a device sent.

mod line;

mod write;

mod query;

mod tables;

mod admin;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::Url;
use reqwest::header::RETRY_AFTER;
use smol_str::SmolStr;

use crate::telemetry::DeviceId;
use crate::telemetry::Measurement;
use crate::telemetry::Point;
use crate::telemetry::Timestamp;

use super::{Extent, RangeQuery, Sample, SeriesError, SeriesStore, Value, WriteReport};

/// How much of an error's body is read, bytes: enough for some hundred bad lines.
const ERROR_BODY_LIMIT: usize = 64 * 1_024;
/// How much of an answer to a query is read, bytes: [`super::SAMPLES_LIMIT`] rows of 200 bytes, four times, and room for long texts.
const ANSWER_LIMIT: usize = 64 * 1_024 * 1_024;
/// How much of the server's own words an error text repeats, characters.
const MESSAGE_LIMIT: usize = 200;
/// Longest wait that a server may ask for; a longer one is taken as this.
const RETRY_AFTER_LIMIT: Duration = Duration::from_hours(1);

/// Where the server is and who we are to it.
#[derive(Clone)]
pub struct InfluxOptions {
    /// Base address, such as `http://127.0.0.1:8086`; a path in front of `/api` is kept.
    pub url: String,
    /// Organisation by name.
    pub org: String,
    /// Bucket by name.
    pub bucket: String,
    /// API token.
    pub token: String,
    /// Longest time of one request with its answer. The server itself gives up a write after 10 s.
    pub timeout: Duration,
}

impl InfluxOptions {
    /// With the usual time-out of 30 s.
    pub fn new(
        url: impl Into<String>,
        org: impl Into<String>,
        bucket: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        Self {
            url: url.into(),
            org: org.into(),
            bucket: bucket.into(),
            token: token.into(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// Leaves out the token.
impl fmt::Debug for InfluxOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("InfluxOptions")
            .field("url", &self.url)
            .field("org", &self.org)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// A bucket of an InfluxDB 2 server. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct InfluxStore {
    options: InfluxOptions,
    base: Url,
    /// Every clone has the same.
    access: Arc<RwLock<Access>>,
}

/// The token in force, and the client that sends it.
struct Access {
    token: String,
    client: reqwest::Client,
}

impl fmt::Debug for InfluxStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(out)
    }
}

impl InfluxStore {
    /// Makes the client; nothing is sent yet. The process must have installed its rustls provider before.
    ///
    /// # Errors
    /// [`SeriesError::Stop`] when the address is none or the token cannot stand in a header.
    pub fn new(options: InfluxOptions) -> Result<Self, SeriesError> {
        let base = Url::parse(&options.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                SeriesError::stop(format!(
                    "'{}' is not the address of an InfluxDB; expected http://host:port or https://host:port",
                    options.url
                ))
            })?;
        let access = Arc::new(RwLock::new(Access::new(&options, options.token.clone())?));
        Ok(Self {
            options,
            base,
            access,
        })
    }

    /// Takes another token from the next request on; what is under way ends with the old one. Tells whether it is another.
    ///
    /// # Errors
    /// [`SeriesError::Stop`] when it cannot stand in a header; the old one holds then.
    pub fn set_token(&self, token: &str) -> Result<bool, SeriesError> {
        if self.token() == token {
            return Ok(false);
        }
        let access = Access::new(&self.options, token.to_owned())?;
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = access;
        Ok(true)
    }

    /// The client as of now; connections are shared.
    fn client(&self) -> reqwest::Client {
        let access = self.access.read().unwrap_or_else(PoisonError::into_inner);
        access.client.clone()
    }

    fn token(&self) -> String {
        let access = self.access.read().unwrap_or_else(PoisonError::into_inner);
        access.token.clone()
    }

    /// The address of a call.
    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl Access {
    fn new(options: &InfluxOptions, token: String) -> Result<Self, SeriesError> {
        let mut header = reqwest::header::HeaderValue::from_str(&format!("Token {token}"))
            .map_err(|_| {
                SeriesError::stop("the InfluxDB token holds characters that no token has")
            })?;
        header.set_sensitive(true);
        let headers = [(reqwest::header::AUTHORIZATION, header)]
            .into_iter()
            .collect();
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(options.timeout)
            .connect_timeout(options.timeout.min(Duration::from_secs(5)))
            // A redirected write would become a GET, or carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| SeriesError::stop(format!("no HTTP client: {}", chain(&error))))?;
        Ok(Self { token, client })
    }
}

impl SeriesStore for InfluxStore {
    async fn write(&self, points: &[Point]) -> Result<WriteReport, SeriesError> {
        self.write_points(points).await
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Sample>, SeriesError> {
        self.read_range(query).await
    }

    async fn values(&self, query: &RangeQuery) -> Result<Vec<Value>, SeriesError> {
        self.read_values(query, query.limit()).await
    }

    async fn last(
        &self,
        measurement: Measurement,
        device: &DeviceId,
    ) -> Result<BTreeMap<SmolStr, Value>, SeriesError> {
        self.read_last(measurement, device).await
    }

    async fn before(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
        at: Timestamp,
    ) -> Result<Option<Value>, SeriesError> {
        self.read_before(measurement, device, field, at).await
    }

    async fn extent(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
    ) -> Result<Option<Extent>, SeriesError> {
        self.read_extent(measurement, device, field).await
    }

    async fn keep(&self, span: Option<Duration>, _now: Timestamp) -> Result<(), SeriesError> {
        self.set_retention(span).await
    }

    async fn health(&self) -> Result<(), SeriesError> {
        self.check_health().await
    }
}

/// A request that brought no answer: the network, a time-out, a cut or reset connection.
fn unanswered(error: &reqwest::Error) -> SeriesError {
    let what = if error.is_timeout() {
        "InfluxDB did not answer in time"
    } else if error.is_connect() {
        "no connection to InfluxDB"
    } else {
        "the connection to InfluxDB broke"
    };
    SeriesError::later(format!("{what}: {}", chain(error)))
}

/// An error with its sources, without the address (it may hold a password).
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(inner) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    if text.is_empty() {
        text.push_str("no further cause is known");
    }
    text.chars().take(MESSAGE_LIMIT).collect()
}

/// What a refused request means; reads the body up to its limit.
async fn refused(response: reqwest::Response) -> SeriesError {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.trim().parse::<u64>().ok())
        .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_LIMIT));
    let body = read_some(response, ERROR_BODY_LIMIT).await;
    classify(status, retry_after, &body)
}

/// What a status with its body means to a writer.
fn classify(status: StatusCode, retry_after: Option<Duration>, body: &str) -> SeriesError {
    match status {
        StatusCode::BAD_REQUEST => SeriesError::BadLines {
            answer: message(body),
        },
        StatusCode::PAYLOAD_TOO_LARGE => SeriesError::Split,
        StatusCode::UNPROCESSABLE_ENTITY => write::partial(&message(body)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SeriesError::stop(format!(
            "InfluxDB refuses the token (status {})",
            status.as_u16()
        )),
        StatusCode::NOT_FOUND => SeriesError::stop(format!(
            "InfluxDB does not find the bucket or organisation (status 404): {}",
            short(&message(body))
        )),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::TOO_EARLY => {
            busy(status, retry_after)
        }
        _ if status.is_server_error() => busy(status, retry_after),
        _ if status.is_success() => {
            // A page of some proxy, not a database that stored something.
            SeriesError::later(format!(
                "InfluxDB gave an unexpected answer (status {})",
                status.as_u16()
            ))
        }
        _ => SeriesError::stop(format!(
            "this does not answer like InfluxDB (status {})",
            status.as_u16()
        )),
    }
}

fn busy(status: StatusCode, retry_after: Option<Duration>) -> SeriesError {
    SeriesError::Later {
        reason: format!("InfluxDB cannot do it now (status {})", status.as_u16()),
        retry_after,
        request_suspect: status == StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The `message` of an error body; a body of another form as it is.
fn message(body: &str) -> String {
    #[derive(serde::Deserialize)]
    struct ErrorBody {
        message: String,
    }
    serde_json::from_str::<ErrorBody>(body).map_or_else(|_| body.to_owned(), |body| body.message)
}

/// The first line of a text, cut to what an error may repeat.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(MESSAGE_LIMIT).collect()
}

/// At most `limit` bytes of a body; a broken rest is left out.
async fn read_some(mut response: reqwest::Response, limit: usize) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limit - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() >= limit {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// The whole of a body that must not be longer than `limit` bytes.
async fn read_all(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, SeriesError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(SeriesError::Query {
                reason: format!("the answer of InfluxDB is over {limit} bytes"),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_classified_by_what_the_caller_does() {
        let class = |status: u16| classify(StatusCode::from_u16(status).unwrap(), None, "{}");
        for status in [301, 401, 403, 404, 405] {
            assert!(
                matches!(class(status), SeriesError::Stop { .. }),
                "{status}"
            );
        }
        for status in [200, 408, 429, 502, 503, 504] {
            assert!(
                matches!(
                    class(status),
                    SeriesError::Later {
                        request_suspect: false,
                        ..
                    }
                ),
                "{status}"
            );
        }
        assert!(matches!(
            class(500),
            SeriesError::Later {
                request_suspect: true,
                ..
            }
        ));
        assert!(matches!(class(400), SeriesError::BadLines { .. }));
        assert!(matches!(class(413), SeriesError::Split));
        assert!(matches!(class(422), SeriesError::Partial { .. }));
    }

    #[test]
    fn a_path_before_the_api_is_kept_and_names_are_escaped() {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let store = InfluxStore::new(InfluxOptions::new("http://h:1/x/", "o&p", "b", "t")).unwrap();
        assert_eq!(
            store
                .url(&["api", "v2", "write"], &[("org", "o&p")])
                .as_str(),
            "http://h:1/x/api/v2/write?org=o%26p"
        );
        assert!(!format!("{store:?}").contains("\"t\""));
    }

    #[test]
    fn an_address_that_is_none_is_refused_by_name() {
        for url in ["", "127.0.0.1:8086", "ftp://h", "/x"] {
            let error = InfluxStore::new(InfluxOptions::new(url, "o", "b", "t")).unwrap_err();
            assert!(matches!(error, SeriesError::Stop { .. }), "{url}");
        }
    }
}
