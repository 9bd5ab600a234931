//! An MQTT 3.1.1 client of a few lines that knows which of its messages the broker has acknowledged.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Publisher {
    stream: TcpStream,
    next_id: u16,
    waiting: usize,
}

impl Publisher {
    pub(crate) fn connect(port: u16, client_id: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the broker listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0];
        text(&mut body, client_id);
        stream.write_all(&packet(0x10, &body)).expect("connected");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(answer[3], 0, "the broker refuses");
        Self {
            stream,
            next_id: 1,
            waiting: 0,
        }
    }

    /// Sends with QoS 1; [`Publisher::settle`] waits for the acknowledgement.
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8]) {
        let mut body = Vec::new();
        text(&mut body, topic);
        body.extend(self.next_id.to_be_bytes());
        body.extend(payload);
        self.stream.write_all(&packet(0x32, &body)).expect("sent");
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.waiting += 1;
    }

    /// Waits until everything sent is acknowledged.
    pub(crate) fn settle(&mut self) {
        while self.waiting > 0 {
            let mut answer = [0; 4];
            self.stream
                .read_exact(&mut answer)
                .expect("an acknowledgement");
            assert_eq!(answer[0], 0x40, "a PUBACK");
            self.waiting -= 1;
        }
    }
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
    body.extend(text.as_bytes());
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut whole = vec![kind];
    let mut left = body.len();
    loop {
        let low = u8::try_from(left & 127).expect("seven bits");
        left >>= 7;
        whole.push(if left > 0 { low | 128 } else { low });
        if left == 0 {
            break;
        }
    }
    whole.extend(body);
    whole
}
