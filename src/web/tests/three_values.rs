//! A series of three values, for whoever reads a series.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::web::{SeriesAround, SeriesQuery, SeriesRead, SeriesReadError, SeriesSample};

/// A series of three values; a signal named `broken` cannot be read.
pub(super) struct ThreeValues {
    pub(super) asked: Mutex<Vec<SeriesQuery>>,
    /// It does not answer.
    pub(super) down: AtomicBool,
}

impl SeriesRead for ThreeValues {
    fn range(
        &self,
        query: SeriesQuery,
    ) -> BoxFuture<'static, Result<Vec<SeriesSample>, SeriesReadError>> {
        let broken = query.field == "broken" || self.down.load(Ordering::Relaxed);
        let from = query.from;
        self.asked.lock().expect("no test panicked").push(query);
        async move {
            if broken {
                let reason = "connection refused".to_owned();
                return Err(SeriesReadError { reason });
            }
            let sample = |n: i32| SeriesSample {
                at: from + i64::from(n),
                min: f64::from(n),
                max: f64::from(n + 2),
                mean: f64::from(n + 1),
            };
            Ok((0..3).map(sample).collect())
        }
        .boxed()
    }

    fn around(
        &self,
        query: SeriesQuery,
    ) -> BoxFuture<'static, Result<SeriesAround, SeriesReadError>> {
        let from = query.from;
        let around = SeriesAround {
            before: Some((from - 1, 0.5)),
            extent: Some((from - 1, from + 2)),
        };
        async move { Ok(around) }.boxed()
    }
}
