//! Sets up: health, first user, bucket, retention; through the `influxdb2` crate where it can do it.
//!
//! Leaves when this happens to the daemon. The crate gives no id for a new bucket and cannot change a retention, so the first
//! is looked up and the second is a request of our own. Invariant: nothing here touches points.

use std::time::Duration;

use influxdb2::RequestError;
use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::api::organization::ListOrganizationRequest;
use influxdb2::models::{Bucket, PostBucketRequest};
use reqwest::StatusCode;
use serde_json::json;

use super::super::SeriesError;
use super::{InfluxStore, classify, refused, unanswered};

impl InfluxStore {
    /// Whether the server answers; it says no more than that it lives.
    pub(super) async fn check_health(&self) -> Result<(), SeriesError> {
        if self.base.path() != "/" {
            let request = self.client().get(self.url(&["health"], &[]));
            let response = request.send().await.map_err(|error| unanswered(&error))?;
            if response.status() == StatusCode::OK {
                return Ok(());
            }
            return Err(as_stop(refused(response).await));
        }
        let admin = self.admin()?;
        let health = self.within(admin.health()).await?.map_err(failed)?;
        if health.status == influxdb2::models::Status::Pass {
            return Ok(());
        }
        Err(SeriesError::later("InfluxDB says that it is not well"))
    }

    /// Whether the server has no user yet.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_fresh(&self) -> Result<bool, SeriesError> {
        let admin = self.admin()?;
        let answer = self.within(admin.is_onboarding_allowed()).await?;
        answer.map_err(failed)
    }

    /// Sets up a fresh server: first user, our organisation, our bucket, and our token as its token.
    ///
    /// # Errors
    /// When the server is not fresh (any more) or does not answer.
    pub async fn onboard(&self, user: &str, password: &str) -> Result<(), SeriesError> {
        let url = self.url(&["api", "v2", "setup"], &[]);
        // The crate's request has no token in it, and one made by the server would have to be kept.
        let body = json!({
            "username": user,
            "password": password,
            "org": self.options.org,
            "bucket": self.options.bucket,
            "retentionPeriodSeconds": 0,
            "token": self.token(),
        });
        let request = self.client().post(url).json(&body);
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        if response.status() == StatusCode::CREATED {
            return Ok(());
        }
        Err(as_stop(refused(response).await))
    }

    /// Makes sure that the bucket is there, and makes it (keeping for ever) where it is not.
    ///
    /// # Errors
    /// [`SeriesError::Stop`] when the organisation is unknown or the token may not do it.
    pub async fn ensure_bucket(&self) -> Result<(), SeriesError> {
        if self.bucket().await?.is_some() {
            return Ok(());
        }
        let admin = self.admin()?;
        let request = ListOrganizationRequest {
            org: Some(self.options.org.clone()),
            ..ListOrganizationRequest::default()
        };
        let found = self
            .within(admin.list_organizations(request))
            .await?
            .map_err(failed)?;
        let org_id = found
            .orgs
            .into_iter()
            .find(|org| org.name == self.options.org)
            .and_then(|org| org.id)
            .ok_or_else(|| {
                SeriesError::stop(format!(
                    "InfluxDB has no organisation '{}'",
                    self.options.org
                ))
            })?;
        let request = PostBucketRequest::new(org_id, self.options.bucket.clone());
        let made = self.within(admin.create_bucket(Some(request))).await?;
        made.map_err(failed)
    }

    /// Changes how long the bucket keeps points, if it keeps them for another time.
    pub(super) async fn set_retention(&self, span: Option<Duration>) -> Result<(), SeriesError> {
        let bucket = self.bucket().await?.ok_or_else(|| {
            SeriesError::stop(format!("InfluxDB has no bucket '{}'", self.options.bucket))
        })?;
        let seconds = span.map_or(0, |span| span.as_secs());
        let now = bucket
            .retention_rules
            .first()
            .map_or(0, |rule| rule.every_seconds);
        if i64::from(now).unsigned_abs() == seconds {
            return Ok(());
        }
        let id = bucket
            .id
            .ok_or_else(|| SeriesError::later("InfluxDB gave no id of the bucket"))?;
        // A shard must not be longer than what is kept; the spans are those the server takes for a new bucket.
        let shard = match seconds {
            1..172_800 => 3_600,
            172_800..15_552_000 => 86_400,
            _ => 604_800,
        };
        let rules = json!([
            {"type": "expire", "everySeconds": seconds, "shardGroupDurationSeconds": shard}
        ]);
        let url = self.url(&["api", "v2", "buckets", &id], &[]);
        let request = self
            .client()
            .patch(url)
            .json(&json!({"retentionRules": rules}));
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(as_stop(refused(response).await))
    }

    async fn bucket(&self) -> Result<Option<Bucket>, SeriesError> {
        let request = ListBucketsRequest {
            name: Some(self.options.bucket.clone()),
            org: Some(self.options.org.clone()),
            ..ListBucketsRequest::default()
        };
        let admin = self.admin()?;
        match self.within(admin.list_buckets(Some(request))).await? {
            Ok(found) => Ok(found
                .buckets
                .into_iter()
                .find(|bucket| bucket.name == self.options.bucket)),
            // Newer servers answer an unknown name with 404, as they do an unknown organisation.
            Err(RequestError::Http { status, text })
                if status.as_u16() == 404 && text.contains("bucket") =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn admin(&self) -> Result<influxdb2::Client, SeriesError> {
        // The crate drops a path in the address and would talk to the wrong place.
        if self.base.path() != "/" {
            return Err(SeriesError::stop(
                "set-up of InfluxDB needs an address without a path",
            ));
        }
        influxdb2::ClientBuilder::new(self.base.as_str(), &self.options.org, self.token())
            .build()
            .map_err(|_| SeriesError::stop("no HTTP client for the set-up of InfluxDB"))
    }

    /// The crate's calls wait for ever by themselves.
    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<Result<T, RequestError>, SeriesError> {
        tokio::time::timeout(self.options.timeout, call)
            .await
            .map_err(|_| SeriesError::later("InfluxDB did not answer in time"))
    }
}

fn as_stop(error: SeriesError) -> SeriesError {
    match error {
        SeriesError::Later { .. } | SeriesError::Stop { .. } => error,
        SeriesError::Split
        | SeriesError::BadLines { .. }
        | SeriesError::Partial { .. }
        | SeriesError::Query { .. } => SeriesError::stop(format!("InfluxDB refuses: {error}")),
    }
}

fn failed(error: RequestError) -> SeriesError {
    match error {
        RequestError::Http { status, text } => match StatusCode::from_u16(status.as_u16()) {
            Ok(status) => as_stop(classify(status, None, &text)),
            Err(_) => SeriesError::later("InfluxDB gave an unknown status"),
        },
        RequestError::ReqwestProcessing { source } if source.is_decode() => {
            SeriesError::stop("this does not answer like InfluxDB")
        }
        RequestError::ReqwestProcessing { source } => SeriesError::later(format!(
            "no answer from InfluxDB: {}",
            super::chain(&source)
        )),
        RequestError::Serializing { .. } | RequestError::Deserializing { .. } => {
            SeriesError::stop("this does not answer like InfluxDB")
        }
    }
}
