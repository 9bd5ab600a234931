#!/usr/bin/env bash
# The one test command: installs or builds the real servers that the tests talk to where they are missing, then checks the
# format and the lints and runs every test.
#
#   tests/run.sh              everything
#   tests/run.sh ARGS...      everything set up, then `cargo test ARGS...`
#
# Mosquitto, its clients, Node and Chromium come from Debian's packages, paho-mqtt from PyPI, mqtt.js, axe-core and puppeteer-core from
# npm, Prometheus from Debian's package too (unpacked only: nothing is installed and no service begins), and InfluxDB 2.9.1 is built
# from its Go module once (about six minutes on two cores), all into a cache folder outside the checkout: $FOREMEND_CACHE, else
# ~/.cache/foremend.
# FOREMEND_TEST_INFLUXD=/path/to/influxd uses another InfluxDB 2, FOREMEND_TEST_PROMETHEUS=FOLDER another prometheus and promtool.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${FOREMEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/foremend}
mkdir -p "$cache"
say() { printf '\n== %s\n' "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi; }

missing=()
[ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null || missing+=(mosquitto)
command -v mosquitto_pub >/dev/null || missing+=(mosquitto-clients)
command -v openssl >/dev/null || missing+=(openssl)
command -v pkg-config >/dev/null || missing+=(pkg-config)
command -v systemd-analyze >/dev/null || missing+=(systemd)
{ command -v gcc && command -v make; } >/dev/null || missing+=(build-essential)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing+=(chromium fonts-noto-cjk)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "Please install: ${missing[*]} (this machine has no apt-get), then run this again." >&2
    exit 3
  fi
  as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || {
    echo "Could not install ${missing[*]}; install them by hand, then run this again." >&2
    exit 3
  }
fi

# paho-mqtt, a client that is not ours, in an environment of its own.
if [ ! -x "$cache/paho/bin/python" ] || ! "$cache/paho/bin/python" -c 'import paho.mqtt' 2>/dev/null; then
  say "installing paho-mqtt"
  rm -rf "$cache/paho" && python3 -m venv "$cache/paho" && "$cache/paho/bin/pip" install -q 'paho-mqtt>=2,<3'
fi
export FOREMEND_TEST_PAHO=${FOREMEND_TEST_PAHO:-$cache/paho/bin/python}

# mqtt.js, another one, in a folder of its own.
mqttjs=5.16.0
if [ -z "${FOREMEND_TEST_MQTTJS:-}" ]; then
  FOREMEND_TEST_MQTTJS=$cache/mqttjs-$mqttjs/node_modules/mqtt
  if [ ! -f "$FOREMEND_TEST_MQTTJS/package.json" ]; then
    say "installing mqtt.js $mqttjs"
    mkdir -p "$cache/mqttjs-$mqttjs"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$cache/mqttjs-$mqttjs" "mqtt@$mqttjs"
  fi
fi
export FOREMEND_TEST_MQTTJS

# What looks at the pages: the driver of a browser, and the rules of accessibility.
if [ -z "${FOREMEND_TEST_NODE_MODULES:-}" ]; then
  FOREMEND_TEST_NODE_MODULES=$cache/pages-$(cksum < tests/pages/package.json | cut -d' ' -f1)/node_modules
  if [ ! -d "$FOREMEND_TEST_NODE_MODULES/axe-core" ]; then
    say "installing axe-core and puppeteer-core"
    pages=$(dirname "$FOREMEND_TEST_NODE_MODULES")
    mkdir -p "$pages" && cp tests/pages/package.json "$pages/"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$pages"
  fi
fi
export FOREMEND_TEST_NODE_MODULES
FOREMEND_TEST_CHROMIUM=${FOREMEND_TEST_CHROMIUM:-$(command -v chromium || command -v chromium-browser || echo /usr/bin/chromium)}
export FOREMEND_TEST_CHROMIUM

# Prometheus and promtool; a package that is only unpacked needs no root and starts no service.
if [ -z "${FOREMEND_TEST_PROMETHEUS:-}" ]; then
  if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    FOREMEND_TEST_PROMETHEUS=$(dirname "$(command -v promtool)")
  else
    FOREMEND_TEST_PROMETHEUS=$cache/prometheus-2.42
    if [ ! -x "$FOREMEND_TEST_PROMETHEUS/promtool" ]; then
      say "unpacking Debian's prometheus"
      unpacked=$(mktemp -d)
      (
        cd "$unpacked"
        apt-get download -qq prometheus 2>/dev/null || { as_root apt-get update -qq && apt-get download -qq prometheus; }
        dpkg -x prometheus_*.deb .
      ) && mkdir -p "$FOREMEND_TEST_PROMETHEUS" && cp "$unpacked"/usr/bin/prometheus "$unpacked"/usr/bin/promtool "$FOREMEND_TEST_PROMETHEUS/" || {
        echo "Debian's package prometheus could not be had; name a folder with prometheus and promtool in FOREMEND_TEST_PROMETHEUS." >&2
        exit 3
      }
      rm -rf "$unpacked"
    fi
  fi
fi
export FOREMEND_TEST_PROMETHEUS

if [ -z "${FOREMEND_TEST_INFLUXD:-}" ]; then
  FOREMEND_TEST_INFLUXD=$cache/influxd-2.9.1
  if [ ! -x "$FOREMEND_TEST_INFLUXD" ]; then
    say "building InfluxDB 2.9.1 (once; about six minutes on two cores)"
    bash tests/build-influxd.sh "$FOREMEND_TEST_INFLUXD" > "$cache/influxd-build.log" 2>&1 || {
      tail -n 20 "$cache/influxd-build.log" >&2
      echo "InfluxDB could not be built; the whole log is $cache/influxd-build.log" >&2
      exit 3
    }
  fi
fi
export FOREMEND_TEST_INFLUXD

if [ $# -gt 0 ]; then exec cargo test "$@"; fi
say "format"
cargo fmt --check
say "lints"
cargo clippy --locked --all-targets -- -D warnings
say "tests"
cargo test --locked
