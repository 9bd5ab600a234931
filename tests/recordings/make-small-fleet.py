#!/usr/bin/env python3
"""Writes small-fleet.jsonl.gz: thirty days of six made-up toilets, as `mosquitto_sub -F %j` would have printed them.

Run it in this folder to make the recording again; equal seeds give equal bytes. The physics is the least that the faults need:
a heater with a heat capacity that scale enlarges, a valve that weeps, an insulation that weakens.

  TSF5-MADEUP-01  healthy
  TSF5-MADEUP-02  limescale from day 16 on: the heater stores ever more heat per kelvin
  TSF5-MADEUP-03  the heater sticks on during a wash on day 20: scalding water
  TSF5-MADEUP-04  leakage current creeps up from day 8 on
  TSF5-MADEUP-05  the inlet valve weeps from day 25 on
  TSF5-MADEUP-06  healthy, with a bad link: offline for three days, a batch afterwards, repeats, a wrong clock, broken payloads
"""
import gzip
import json
import random
from datetime import datetime, timedelta, timezone

START = 1772323200  # 2026-03-01T00:00:00Z
DAYS = 30
RISE = 69.83  # W per (L/min * K): 4.19 kJ/L/K
rng = random.Random(20260301)
lines = []


def send(at, serial, kind, body, retain=0, qos=1, raw=None):
    payload = raw if raw is not None else json.dumps(body, separators=(",", ":"))
    tst = datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z+0000"
    lines.append((at, {
        "tst": tst, "topic": f"appl/v1/ts-flash5/{serial}/{kind}", "qos": qos, "retain": retain,
        "payloadlen": len(payload.encode()), "payload": payload,
    }))


class Toilet:
    def __init__(self, number, capacity=lambda day: 400.0, leak=lambda day: 0.16, weep=lambda day: 0.0, hot_day=None):
        self.serial = f"TSF5-MADEUP-{number:02}"
        self.capacity, self.leak, self.weep, self.hot_day = capacity, leak, weep, hot_day
        self.seq = 0
        self.litres = 1000.0 + number
        self.washes = 0
        self.told = 0

    def record(self, at, signals):
        self.seq += 1
        return {"ts": round(at, 3), "seq": self.seq, "s": signals}

    def tele(self, at, signals):
        send(at + 0.2, self.serial, "tele", self.record(at, signals))

    def hello(self, at):
        send(at, self.serial, "state", {"online": True, "ts": at, "fw": "1.4.2", "boot": 1})
        send(at + 0.1, self.serial, "ident", {
            "serial": self.serial, "model": "ts-flash5", "hw": "B2", "fw": "1.4.2", "batch": "F5-0000",
            "lots": {"heater": "H0000", "board": "P0000"}, "tz": "Asia/Shanghai"})
        self.tele(at + 1, {"function": "idle", "water.level": 3, "heater.overheat_trips": 0})

    def wash(self, at, day, out=None):
        """Forty seconds of washing at 1 Hz; `out` receives the records instead of the wire when the link is down."""
        put = (lambda t, s: out.append(self.record(t, s))) if out is not None else self.tele
        inlet, target, flow = 18.0 + rng.uniform(-1, 1), 38.0, 0.5 + rng.gauss(0, 0.004)
        water, power_max, store = inlet + 2.0, 1400.0, self.capacity(day)
        hot = self.hot_day is not None and day == self.hot_day
        reached = False
        put(at, {"function": "wash", "water.level": 3})
        for second in range(40):
            loss = RISE * flow * (water - inlet)
            if hot:
                power = power_max
            elif not reached:
                power = power_max
            else:
                power = loss
            put(at + second + 0.5, {
                "water.in_c": round(inlet + rng.gauss(0, 0.02), 2), "water.out_c": round(water + rng.gauss(0, 0.03), 2),
                "water.set_c": target, "water.flow_lpm": round(flow + rng.gauss(0, 0.003), 3),
                "heater.power_w": round(power, 1), "heater.cmd_w": round(0.0 if hot and second > 20 else power, 1)})
            if not hot and not reached and water >= target - 1:
                reached = True
            for _ in range(10):  # Integrated in tenths, so that 1 Hz sees what a sensor would.
                draw = power_max if (hot or water < target - 1) else RISE * flow * (water - inlet)
                water += 0.1 * (draw - RISE * flow * (water - inlet)) / store
        self.litres += flow * 40 / 60
        self.washes += 1
        put(at + 41, {"function": "idle"})
        put(at + 42, {"water.total_l": round(self.litres, 2), "count.wash": self.washes, "heater.overheat_trips": 0})

    def idle(self, at, day):
        flow = self.weep(day)
        if at >= self.told + 3600:  # Change signals are repeated hourly, as the convention asks.
            self.told = at
            self.tele(at - 1, {"function": "idle", "water.level": 3})
        self.tele(at, {"leak.ma": round(self.leak(day + (at - START) % 86400 / 86400) + rng.gauss(0, 0.004), 4),
                       "water.flow_lpm": round(max(0.0, flow + rng.gauss(0, 0.002)) if flow else 0.0, 3), "room.c": 22.5})


def washes(day):
    base = START + day * 86400
    return [base + hour * 3600 + rng.uniform(0, 1500) for hour in (0, 4, 11, 14)]


def live(toilet, every):
    toilet.hello(START + 5)
    for day in range(DAYS):
        base = START + day * 86400
        at_work = washes(day)
        for at in at_work:
            toilet.wash(at, day)
        step = every(day)
        if step:
            at = base + 30.0
            while at < base + 86400:
                if all(not (start - 2 < at < start + 45) for start in at_work):
                    toilet.idle(at, day)
                at += step


live(Toilet(1), lambda day: 1800)
live(Toilet(2, capacity=lambda day: 400.0 * (1 + max(0.0, day - 16) * 0.07)), lambda day: 1800)
live(Toilet(3, hot_day=20), lambda day: 1800)
live(Toilet(4, leak=lambda day: 0.18 + max(0.0, day - 8) * 0.0125), lambda day: 300)
live(Toilet(5, weep=lambda day: 0.05 if day >= 25 else 0.0), lambda day: 60 if day >= 25 else 1800)

shy = Toilet(6)
shy.hello(START + 5)
for day in range(DAYS):
    if 10 <= day < 13:
        continue
    if day == 13:  # Back after three days, with what the dock kept for it.
        kept = []
        for lost in (10, 11, 12):
            for at in washes(lost):
                shy.wash(at, lost, kept)
        back = START + 13 * 86400 + 100
        for i in range(0, len(kept), 200):
            send(back + i / 100, shy.serial, "batch", {"sent": back + i / 100, "recs": kept[i:i + 200]})
    at_work = washes(day)
    for at in at_work:
        shy.wash(at, day)
    for hour in range(24):
        at = START + day * 86400 + hour * 3600 + 1800
        if (day != 13 or hour > 0) and all(not (start - 2 < at < start + 45) for start in at_work):
            shy.idle(at, day)
again = next(entry for _, entry in lines if "MADEUP-06/tele" in entry["topic"])
send(START + 20 * 86400 + 50, shy.serial, "tele", None, raw=again["payload"])  # Repeated by a broker that forgot.
send(START + 20 * 86400 + 60, shy.serial, "tele", None, raw='{"ts":1774')  # Cut off.
send(START + 20 * 86400 + 70, shy.serial, "tele", {"ts": 946684800, "s": {"room.c": 21.0}})  # A clock that was never set.
send(START + 20 * 86400 + 80, shy.serial, "status", {"ok": True})  # No such kind.

lines.sort(key=lambda entry: entry[0])
with open("small-fleet.jsonl.gz", "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=9) as out:
    for _, entry in lines:
        out.write((json.dumps(entry, separators=(",", ":"), ensure_ascii=False) + "\n").encode())
print(len(lines), "messages")
