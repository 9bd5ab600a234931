//! An HTTP server that answers as InfluxDB does on bad days: by a rule that sees each request, and with hangs, resets and cuts.
//!
//! Small on purpose: one request per connection, bodies by `Content-Length`, gzip undone. It notes what it was sent.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with a request.
pub(crate) enum Answer {
    /// Status, further header lines, body.
    Say(u16, &'static str, String),
    /// Keeps the connection open and says nothing.
    Hang,
    /// Resets the connection.
    Reset,
    /// Promises this body, sends its first half, and closes.
    Cut(String),
    /// A status with a body that has no end.
    Endless(u16),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Request line and headers.
    pub(crate) head: String,
    /// The body, without gzip.
    pub(crate) body: String,
}

impl Request {
    /// The lines of a write. Only for lines without a line end in a text.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.body.lines().collect()
    }
}

type Rule = dyn FnMut(&Request) -> Answer + Send;

/// A running server; it ends when this is dropped.
pub(crate) struct FakeInflux {
    /// Its base address.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl FakeInflux {
    /// Starts a server that answers by this rule.
    pub(crate) async fn start(rule: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&requests);
        let rule: Arc<Mutex<Box<Rule>>> = Arc::new(Mutex::new(Box::new(rule)));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, rule) = (Arc::clone(&noted), Arc::clone(&rule));
                tokio::spawn(async move {
                    // The client may have gone; that is its part of the test.
                    drop(serve(stream, &noted, &rule).await);
                });
            }
        });
        Self {
            url: format!("http://{address}"),
            requests,
            task,
        }
    }

    /// What it was sent so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for FakeInflux {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    noted: &Mutex<Vec<Request>>,
    rule: &Mutex<Box<Rule>>,
) -> std::io::Result<()> {
    let request = read(&mut stream).await?;
    noted.lock().unwrap().push(request.clone());
    let answer = (rule.lock().unwrap())(&request);
    match answer {
        Answer::Say(status, headers, body) => {
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
        Answer::Hang => {
            // The connection stays open, and the task ends with the test.
            std::future::pending().await
        }
        Answer::Reset => stream.set_zero_linger(),
        Answer::Cut(body) => {
            let (half, length) = (&body[..body.len() / 2], body.len());
            let answer = format!("HTTP/1.1 200 x\r\nContent-Length: {length}\r\n\r\n{half}");
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
        Answer::Endless(status) => {
            let head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all("x".repeat(4_096).as_bytes()).await?;
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Request> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 16_384];
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..count]);
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = bytes.split_off(head_end);
    while body.len() < length {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        body.extend_from_slice(&chunk[..count]);
    }
    let mut text = String::new();
    if head.contains("content-encoding: gzip") {
        flate2::read::GzDecoder::new(body.as_slice()).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8_lossy(&body).into_owned();
    }
    Ok(Request { head, body: text })
}
