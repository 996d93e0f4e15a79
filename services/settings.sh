# Where the test services run, and what their scripts share. Sourced by the other scripts of this folder.
# Everything may be set from outside; the ports lie below the range that systems hand out for outgoing connections.

PATH=$PATH:/usr/sbin:/sbin # Debian keeps mosquitto there, outside a normal user's PATH

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SERVICES_DIR=${S3_BATCH_SERVICES_DIR:-$REPO/.services}
HOST=127.0.0.1
MQTT_PORT=${S3_BATCH_MQTT_PORT:-18993}
S3_PORT=${S3_BATCH_S3_PORT:-18990}
S3_TLS_PORT=${S3_BATCH_S3_TLS_PORT:-18992} # the same over TLS
MON_PORT=${S3_BATCH_MON_PORT:-18991}     # Ceph's monitor
OSD_PORTS=${S3_BATCH_OSD_PORTS:-19000}   # Ceph's osd takes free ones of the hundred from here
WAIT=${S3_BATCH_START_TIMEOUT:-90}       # seconds, for each thing that is waited for

MQTT_URL=mqtt://$HOST:$MQTT_PORT
S3_ENDPOINT=http://$HOST:$S3_PORT
S3_TLS_ENDPOINT=https://$HOST:$S3_TLS_PORT
S3_REGION=us-east-1
S3_ACCESS_KEY=${S3_BATCH_ACCESS_KEY:-s3batchaccess}
S3_SECRET_KEY=${S3_BATCH_SECRET_KEY:-s3batchsecret}

die() {
  echo "$ME: $*" >&2
  exit 1
}

[[ $SERVICES_DIR == /* ]] || SERVICES_DIR=$PWD/$SERVICES_DIR
[[ $SERVICES_DIR != *[[:space:]]* ]] || die "the folder '$SERVICES_DIR' has a space in its name, which ceph.conf \
does not take; set S3_BATCH_SERVICES_DIR to another one"
S3_TLS_CA_FILE=$SERVICES_DIR/ceph/tls/ca.pem # who trusts it trusts the gateway

# The pid in file $1, if that process lives and was started with the config file $2; else fails. By command line
# and not by signal 0: a pid may be another's by now, and a zombie still takes signals.
pid_of() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ -n $pid ]] &&
    { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "-c $2 " && echo "$pid"
}

port_answers() { (exec 3<>"/dev/tcp/$HOST/$1") 2>/dev/null; }

# port, what it is for, variable: ends the script when somebody else listens there
need_free_port() {
  ! port_answers "$1" || die "port $1, meant for $2, is taken by another process; set $3 to a free one"
}

# command:package...: the packages whose commands are missing, one a line
missing_of() {
  local pair
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
  done
}

# package...: ends the script with the line that installs them, when there are any
need_none_missing() {
  [[ $# -eq 0 ]] || die "not installed: $*. Install with
  apt-get install -y --no-install-recommends $*"
}

# One start or stop at a time in folder $1; the lock ends with this script (daemons must not inherit fd 9).
lock() {
  exec 9>"$1/lock"
  flock -w 10 9 || die "another start or stop is at work in $1"
}

# name, pid file, config file, seconds: ends the daemon, by force when it does not go by itself
stop_daemon() {
  local pid i
  if pid=$(pid_of "$2" "$3"); then
    kill -CONT "$pid" 2>/dev/null || :
    kill "$pid" 2>/dev/null || :
    for ((i = 0; i < $4 * 10; i++)); do
      pid_of "$2" "$3" >/dev/null || break
      sleep 0.1
    done
    if pid_of "$2" "$3" >/dev/null; then
      echo "$1 did not stop within $4 s: killed"
      kill -9 "$pid" || :
      sleep 0.3
    else
      echo "$1 stopped"
    fi
  fi
  rm -f "$2"
}
