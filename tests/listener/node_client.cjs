// Publishes with mqtt.js as one JSON object on standard input asks, and tells as another how it went.

const fs = require('fs');
const mqtt = require(process.env.FOREMEND_TEST_MQTTJS);

const job = JSON.parse(fs.readFileSync(0, 'utf8'));
const told = { connack: null, acked: 0, in_order: true, reasons: [], closed: false };
const read = (name) => (job[name] ? fs.readFileSync(job[name]) : undefined);

const client = mqtt.connect({
  host: '127.0.0.1',
  port: job.port,
  protocol: job.ca ? 'mqtts' : 'mqtt',
  protocolVersion: job.version === 5 ? 5 : 4,
  clientId: job.id,
  username: job.user,
  password: job.password,
  ca: read('ca'),
  cert: read('cert'),
  key: read('key'),
  reconnectPeriod: 0,
  connectTimeout: 60000,
});

const limit = setTimeout(finish, 60000);
let finished = false;
function finish() {
  if (finished) return;
  finished = true;
  clearTimeout(limit);
  process.stdout.write(JSON.stringify(told), () => {
    client.end(true);
    process.exit(0);
  });
}

client.on('connect', (connack) => {
  told.connack = connack.reasonCode ?? connack.returnCode;
  let waiting = job.messages.length;
  job.messages.forEach((message, number) => {
    client.publish(job.topic, message, { qos: job.qos }, (error) => {
      waiting -= 1;
      if (error) told.reasons.push(error.code ?? String(error));
      else {
        told.in_order = told.in_order && told.acked === number;
        told.acked += 1;
      }
      if (waiting === 0) finish();
    });
  });
});
client.on('error', (error) => {
  if (told.connack === null) told.connack = error.code ?? String(error);
});
client.on('close', () => {
  told.closed = true;
  finish();
});
