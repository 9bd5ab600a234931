"""Publishes with paho-mqtt as one JSON object on standard input asks, and tells as another how it went."""

import json
import os
import sys
import threading

import paho.mqtt.client as mqtt

job = json.load(sys.stdin)
version_5 = job["version"] == 5
options = {} if version_5 else {"clean_session": job.get("clean", True)}
client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id=job["id"],
    protocol=mqtt.MQTTv5 if version_5 else mqtt.MQTTv311,
    reconnect_on_failure=False,
    **options,
)
if "user" in job:
    client.username_pw_set(job["user"], job.get("password"))
if "ca" in job:
    client.tls_set(ca_certs=job["ca"], certfile=job.get("cert"), keyfile=job.get("key"))
if "will" in job:
    client.will_set(job["will"]["topic"], job["will"]["payload"], qos=1)

told = {"connack": None, "session_present": None, "acked": [], "reasons": [], "closed": False}
changed = threading.Condition()


def on_connect(_client, _data, flags, reason, _properties):
    with changed:
        told["connack"] = reason.value
        told["session_present"] = flags.session_present
        changed.notify()


def on_publish(_client, _data, mid, reason, _properties):
    with changed:
        told["acked"].append(mid)
        told["reasons"].append(reason.value)
        changed.notify()


def on_disconnect(*_arguments):
    with changed:
        told["closed"] = True
        changed.notify()


client.on_connect, client.on_publish, client.on_disconnect = on_connect, on_publish, on_disconnect
sent = []


def send():
    for message in job["messages"]:
        sent.append(client.publish(job["topic"], message, qos=job["qos"]).mid)


client.max_inflight_messages_set(job.get("inflight", 20))
if job.get("before"):
    send()
client.connect("127.0.0.1", job["port"], keepalive=30)
client.loop_start()
with changed:
    changed.wait_for(lambda: told["connack"] is not None or told["closed"], 60)
if told["connack"] == 0:
    if not job.get("before"):
        send()
    with changed:
        changed.wait_for(lambda: len(told["acked"]) >= len(job["messages"]) or told["closed"], 60)
told["acked_in_order"] = told["acked"] == sent[: len(told["acked"])]
told["closed_on_us"] = told["closed"]
told["acked"] = len(told["acked"])
print(json.dumps(told), flush=True)
if job.get("vanish"):
    os._exit(0)
client.disconnect()
client.loop_stop()
