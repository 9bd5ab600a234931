"""Publishes `{"ts": now, "e": "rcd_trip"}` as CBOR by MQTT 5, then the same cut off in the middle."""
import struct
import sys
import time

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

port, topic = int(sys.argv[1]), sys.argv[2]
payload = b"\xa2\x62ts\xfb" + struct.pack(">d", time.time()) + b"\x61e\x68rcd_trip"
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="paho-test", protocol=mqtt.MQTTv5)
client.connect("127.0.0.1", port)
client.loop_start()
properties = Properties(PacketTypes.PUBLISH)
properties.ContentType = "application/cbor"
for body in (payload, payload[:9]):
    client.publish(topic, body, qos=1, properties=properties).wait_for_publish(20)
client.disconnect()
client.loop_stop()
