//! What the store makes of a server's bad days.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foremend::series::writer::Pause;
use foremend::series::{
    InfluxOptions, InfluxStore, RangeQuery, RefusedReason, SeriesError, SeriesStore, WriteReport,
    Writer, WriterOptions,
};
use foremend::telemetry::{FieldValue, Measurement, Point, Timestamp};

use super::fake_influx::{Answer, FakeInflux, Request};

/// A store that waits only a moment for answers.
fn store(server: &FakeInflux) -> InfluxStore {
    super::install_tls();
    let mut options = InfluxOptions::new(&server.url, "home", "telemetry", "secret-token");
    options.timeout = Duration::from_millis(800);
    InfluxStore::new(options).unwrap()
}

fn point(ms: i64) -> Point {
    Point {
        measurement: Measurement::Telemetry,
        device: "m/1".parse().unwrap(),
        tags: Vec::new(),
        at: Timestamp::from_ms(ms),
        fields: vec![("a".into(), FieldValue::Float(1.0))],
    }
}

fn points(count: i64) -> Vec<Point> {
    (0..count).map(point).collect()
}

fn say(status: u16, body: &str) -> Answer {
    Answer::Say(status, "", body.to_owned())
}

/// A server that stores what the rule lets it, and the set it stores into (last words of lines: the times).
async fn storing(
    mut rule: impl FnMut(&Request) -> Option<Answer> + Send + 'static,
) -> (FakeInflux, Arc<Mutex<BTreeSet<String>>>) {
    let stored = Arc::new(Mutex::new(BTreeSet::new()));
    let inside = Arc::clone(&stored);
    let server = FakeInflux::start(move |request| {
        if let Some(answer) = rule(request) {
            return answer;
        }
        let times = request
            .lines()
            .into_iter()
            .filter_map(|line| line.rsplit(' ').next());
        inside.lock().unwrap().extend(times.map(str::to_owned));
        say(204, "")
    })
    .await;
    (server, stored)
}

async fn failure(answer: impl Fn() -> Answer + Send + 'static) -> SeriesError {
    let server = FakeInflux::start(move |_| answer()).await;
    store(&server)
        .write(&points(3))
        .await
        .expect_err("a refused write")
}

#[tokio::test]
async fn a_write_is_gzip_of_lines_with_milliseconds_for_our_bucket() {
    let (server, stored) = storing(|_| None).await;
    let report = store(&server).write(&points(3)).await.unwrap();
    assert_eq!(
        report,
        WriteReport {
            written: 3,
            ..WriteReport::default()
        }
    );
    let request = &server.requests()[0];
    let line = request.head.lines().next().unwrap();
    assert_eq!(
        line,
        "post /api/v2/write?org=home&bucket=telemetry&precision=ms http/1.1"
    );
    assert!(
        request.head.contains("authorization: token secret-token"),
        "{}",
        request.head
    );
    assert!(request.head.contains("content-encoding: gzip"));
    assert_eq!(request.lines()[2], "telemetry,model=m,serial=1 a=1.0 2");
    assert_eq!(stored.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_request_has_at_most_five_thousand_lines_and_eight_megabytes() {
    let (server, stored) = storing(|_| None).await;
    let store = store(&server);
    assert_eq!(store.write(&points(12_000)).await.unwrap().written, 12_000);
    let counts: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.lines().len())
        .collect();
    assert_eq!(counts, [5_000, 5_000, 2_000]);
    assert_eq!(stored.lock().unwrap().len(), 12_000);
    let long: Vec<_> = (0..1_000)
        .map(|ms| Point {
            fields: vec![("text".into(), FieldValue::Text("x".repeat(16_000).into()))],
            ..point(ms)
        })
        .collect();
    store.write(&long).await.unwrap();
    let longest = server
        .requests()
        .iter()
        .map(|request| request.body.len())
        .max()
        .unwrap();
    assert!(longest < 9 * 1_024 * 1_024, "{longest} bytes");
}

#[tokio::test]
async fn lines_that_the_server_names_are_left_out_and_the_rest_is_stored() {
    let (server, stored) = storing(|request| {
        let bad: Vec<_> = request
            .lines()
            .into_iter()
            .filter(|line| line.ends_with(" 17") || line.ends_with(" 3000"))
            .map(|line| format!("unable to parse '{line}': bad"))
            .collect();
        let body = serde_json::json!({"code": "invalid", "message": bad.join("\n")});
        (!bad.is_empty()).then(|| say(400, &body.to_string()))
    })
    .await;
    let report = store(&server).write(&points(5_000)).await.unwrap();
    assert_eq!(
        (report.written, report.refused[&RefusedReason::BadLine]),
        (4_998, 2)
    );
    assert_eq!(stored.lock().unwrap().len(), 4_998);
    assert!(
        server.requests().len() <= 5,
        "{} requests",
        server.requests().len()
    );
}

#[tokio::test]
async fn lines_that_nobody_names_are_found_by_halving() {
    let (server, stored) = storing(|request| {
        let bad = request.lines().iter().any(|line| line.ends_with(" 17"));
        bad.then(|| say(400, "<html>no</html>"))
    })
    .await;
    let report = store(&server).write(&points(1_000)).await.unwrap();
    assert_eq!(
        (report.written, report.refused[&RefusedReason::BadLine]),
        (999, 1)
    );
    assert_eq!(stored.lock().unwrap().len(), 999);
    assert!(server.requests().len() <= 25);
}

#[tokio::test]
async fn a_bad_line_that_names_another_cannot_have_it_left_out() {
    let (server, stored) = storing(|request| {
        let bad = request.lines().iter().any(|line| line.ends_with(" 1"));
        let message = "unable to parse 'telemetry,model=m,serial=1 a=1.0 2': a lie";
        let body = serde_json::json!({"code": "invalid", "message": message});
        bad.then(|| say(400, &body.to_string()))
    })
    .await;
    let report = store(&server).write(&points(4)).await.unwrap();
    assert_eq!(
        (report.written, report.refused[&RefusedReason::BadLine]),
        (3, 1)
    );
    assert_eq!(stored.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_body_that_is_too_large_goes_in_smaller_pieces() {
    let (server, stored) = storing(|request| {
        let count = request.lines().len();
        let alone = request.lines()[0].ends_with(" 9");
        (count > 3 || (count == 1 && alone)).then(|| say(413, "<html>too large</html>"))
    })
    .await;
    let report = store(&server).write(&points(10)).await.unwrap();
    let stored = stored.lock().unwrap().len() as u64;
    let refused = report
        .refused
        .get(&RefusedReason::TooLarge)
        .copied()
        .unwrap_or(0);
    assert_eq!((report.written, report.written + refused), (stored, 10));
    let (server, _) = storing(|_| Some(say(413, ""))).await;
    let report = super::mishaps::store(&server)
        .write(&points(2))
        .await
        .unwrap();
    assert_eq!(report.refused[&RefusedReason::TooLarge], 2);
}

#[tokio::test]
async fn what_the_server_dropped_is_counted_and_not_sent_again() {
    let message = "failure writing points to database: partial write: field type conflict: input field \\\"x\\\" on \
                   measurement \\\"t\\\" is type string, already exists as type float dropped=2";
    let body = format!("{{\"code\":\"unprocessable entity\",\"message\":\"{message}\"}}");
    let server = FakeInflux::start(move |_| say(422, &body)).await;
    let report = store(&server).write(&points(10)).await.unwrap();
    assert_eq!(
        (
            report.written,
            report.refused[&RefusedReason::FieldTypeConflict]
        ),
        (8, 2)
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_know_us_is_a_reason_to_stop() {
    for status in [302, 401, 403, 404, 405] {
        let error = failure(move || say(status, "{\"message\":\"no\"}")).await;
        assert!(
            matches!(error, SeriesError::Stop { .. }),
            "{status}: {error:?}"
        );
        assert!(!error.to_string().contains("secret-token"));
    }
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    for (status, header, expected) in [
        (429, "Retry-After: 7\r\n", Some(Duration::from_secs(7))),
        (503, "Retry-After: 0\r\n", Some(Duration::ZERO)),
        (
            503,
            "Retry-After: 99999999\r\n",
            Some(Duration::from_hours(1)),
        ),
        (503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", None),
        (429, "", None),
    ] {
        let error = failure(move || Answer::Say(status, header, String::new())).await;
        let SeriesError::Later {
            retry_after,
            request_suspect,
            ..
        } = error
        else {
            panic!("{status}: {error:?}")
        };
        assert_eq!(
            (retry_after, request_suspect),
            (expected, false),
            "{status} {header}"
        );
    }
}

#[tokio::test]
async fn an_internal_error_may_be_the_fault_of_the_request() {
    let error = failure(|| say(500, "{\"code\":\"internal error\"}")).await;
    assert!(
        matches!(
            error,
            SeriesError::Later {
                request_suspect: true,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_connection_that_gives_no_answer_is_tried_again_later() {
    let answers: [fn() -> Answer; 4] = [
        || Answer::Hang,
        || Answer::Reset,
        || Answer::Cut("cut".into()),
        || say(200, "<html>Log in to the hotel's network</html>"),
    ];
    for (place, answer) in answers.into_iter().enumerate() {
        let error = failure(answer).await;
        let expected = matches!(
            error,
            SeriesError::Later {
                request_suspect: false,
                ..
            }
        );
        assert!(expected, "{place}: {error:?}");
    }
    let server = FakeInflux::start(|_| Answer::Hang).await;
    let store = store(&server);
    drop(server);
    let error = store.write(&points(1)).await.expect_err("nobody listens");
    assert!(matches!(error, SeriesError::Later { .. }), "{error:?}");
    assert!(store.health().await.is_err());
}

#[tokio::test]
async fn an_error_body_without_an_end_is_not_read_to_its_end() {
    super::install_tls();
    let server = FakeInflux::start(|_| Answer::Endless(400)).await;
    // Its own time-out cannot be what ends it.
    let mut options = InfluxOptions::new(&server.url, "home", "telemetry", "t");
    options.timeout = Duration::from_hours(1);
    let store = InfluxStore::new(options).unwrap();
    let points = points(1);
    let write = tokio::time::timeout(Duration::from_secs(30), store.write(&points));
    let report = write.await.expect("an end").unwrap();
    assert_eq!(report.refused[&RefusedReason::BadLine], 1);
}

#[tokio::test]
async fn an_answer_to_a_query_is_whole_or_an_error() {
    let good = "#datatype,string,long,dateTime:RFC3339,double\r\n#group,f,f,f,f\r\n#default,_result,,,\r\n\
                ,result,table,_time,_value\r\n,,0,2026-03-01T00:00:00Z,1.5\r\n";
    let query = RangeQuery {
        measurement: Measurement::Telemetry,
        device: "m/1".parse().unwrap(),
        field: "a".into(),
        from: Timestamp::from_ms(0),
        to: Timestamp::from_ms(1_000),
        points: 10,
    };
    let ask = async |answer: Answer| {
        let mut answer = Some(answer);
        let server = FakeInflux::start(move |_| answer.take().expect("one request")).await;
        store(&server).values(&query).await
    };
    assert_eq!(
        ask(say(200, good)).await.unwrap()[0].at.ms(),
        1_772_323_200_000
    );
    let broken = format!("{good}\r\nerror,reference\r\nout of memory,897\r\n");
    for answer in [
        say(200, &broken),
        say(400, "{\"message\":\"compilation failed\"}"),
        say(422, ""),
        Answer::Endless(200),
    ] {
        let error = ask(answer).await.expect_err("no whole answer");
        assert!(
            matches!(error, SeriesError::Query { .. } | SeriesError::Later { .. }),
            "{error:?}"
        );
    }
    for answer in [
        Answer::Cut(good.into()),
        Answer::Hang,
        Answer::Reset,
        say(503, ""),
    ] {
        let error = ask(answer).await.expect_err("no whole answer");
        assert!(matches!(error, SeriesError::Later { .. }), "{error:?}");
    }
    let error = ask(say(404, "{\"message\":\"could not find bucket\"}"))
        .await
        .unwrap_err();
    assert!(matches!(error, SeriesError::Stop { .. }), "{error:?}");
}

#[tokio::test]
async fn health_tells_a_database_from_another_server() {
    let good = "{\"name\":\"influxdb\",\"message\":\"ready\",\"status\":\"pass\",\"checks\":[]}";
    for (answer, well) in [
        (say(200, good), true),
        (say(200, &good.replace("pass", "fail")), false),
        (say(200, "OK"), false),
        (say(503, ""), false),
        (Answer::Hang, false),
        (Answer::Reset, false),
    ] {
        let mut answer = Some(answer);
        let server = FakeInflux::start(move |_| answer.take().unwrap_or(Answer::Reset)).await;
        assert_eq!(store(&server).health().await.is_ok(), well);
    }
}

/// Notes what it should wait and goes on at once.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<Duration>>>);

impl Pause for Noted {
    async fn pause(&self, least: Duration, _: Duration) {
        self.0.lock().unwrap().push(least);
    }
}

#[tokio::test]
async fn the_writer_gets_everything_through_a_day_of_mishaps() {
    let mut call = 0;
    let (server, stored) = storing(move |request| {
        call += 1;
        match call {
            1 => Some(Answer::Reset),
            2 => Some(Answer::Say(503, "Retry-After: 9\r\n", String::new())),
            3 => Some(say(401, "")),
            4 => Some(Answer::Cut("cut".into())),
            5 => Some(say(500, "")),
            _ if request.lines().len() > 400 => Some(say(413, "")),
            _ if request.lines().iter().any(|line| line.ends_with(" 77")) => Some(say(500, "")),
            _ => None,
        }
    })
    .await;
    let noted = Noted::default();
    let options = WriterOptions {
        lanes: 2,
        ..WriterOptions::default()
    };
    let writer = Writer::with_pause(store(&server), options, noted.clone());
    let report = writer.write(points(1_000)).await;
    assert_eq!(
        (report.written, report.refused[&RefusedReason::ServerError]),
        (999, 1)
    );
    assert_eq!(stored.lock().unwrap().len(), 999);
    assert!(noted.0.lock().unwrap().contains(&Duration::from_secs(9)));
}
