#!/usr/bin/env bash
# A Mosquitto broker of the project's own, apart from the system's service.
# Use: mosquitto.sh missing|start|stop|status   (settings.sh tells what can be set)
set -euo pipefail
ME=mosquitto
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

D=$SERVICES_DIR/mosquitto
CONF=$D/mosquitto.conf
PID_FILE=$D/mosquitto.pid

missing() { missing_of mosquitto:mosquitto; }

broker_pid() { pid_of "$PID_FILE" "$CONF"; }

# A CONNECT of MQTT 3.1.1 with a clean session, which a broker that works answers with CONNACK 0.
broker_answers() {
  local answer
  answer=$(
    {
      exec 3<>"/dev/tcp/$HOST/$MQTT_PORT" &&
        printf '\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00' >&3 &&
        timeout 5 head -c 4 <&3 | od -An -tx1 | tr -d ' \n'
    } 2>/dev/null
  )
  [[ $answer == 20020000 ]]
}

write_conf() {
  cat >"$CONF" <<CONF
listener $MQTT_PORT $HOST
allow_anonymous true
persistence true
persistence_location $D/
pid_file $PID_FILE
log_dest file $D/mosquitto.log
log_timestamp_format %Y-%m-%dT%H:%M:%S
# The defaults (20 in flight, 1,000 queued, the rest dropped without a word) are too small for held acknowledgements.
max_inflight_messages 1000
max_queued_messages 0
CONF
  # Started by root it would become the package's user, who cannot write here.
  [[ $(id -u) -ne 0 ]] || echo 'user root' >>"$CONF"
}

start() {
  need_none_missing $(missing)
  mkdir -p "$D"
  lock "$D"
  if broker_pid >/dev/null; then
    grep -qx "listener $MQTT_PORT $HOST" "$CONF" ||
      die "it runs with another port already ($(grep '^listener' "$CONF")); stop it first"
  else
    need_free_port "$MQTT_PORT" 'the MQTT broker' S3_BATCH_MQTT_PORT
    write_conf
    mosquitto -c "$CONF" -d 9>&- </dev/null >>"$D/mosquitto.out" 2>&1 || die "it does not start (see $D/mosquitto.out)"
    local until=$((SECONDS + WAIT))
    until broker_pid >/dev/null && broker_answers; do
      [[ $SECONDS -lt $until ]] || die "not ready after $WAIT s (see $D/mosquitto.log and $D/mosquitto.out)"
      sleep 0.1
    done
  fi
  status
}

stop() {
  [[ -d $D ]] || return 0
  lock "$D"
  stop_daemon mosquitto "$PID_FILE" "$CONF" 15
}

status() {
  local pid
  pid=$(broker_pid) || { echo 'mosquitto down'; return 1; }
  broker_answers || { echo "mosquitto down: pid $pid runs, but does not answer at $MQTT_URL"; return 1; }
  echo "mosquitto up   $MQTT_URL  (pid $pid)"
}

case ${1:-} in missing | start | stop | status) "$1" ;; *) echo "usage: $0 missing|start|stop|status" >&2; exit 2 ;; esac
