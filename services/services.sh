#!/usr/bin/env bash
# The real services that the tests and a user's own trials run against: a Mosquitto broker and Ceph's S3 gateway,
# from Debian's packages, in a folder and on ports of their own.
# Use: npm run services -- start|stop|status|env|check
# (env prints lines for a shell to eval; check tells which packages are missing)
set -euo pipefail
ME=services
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

each() { # every service, whatever becomes of the others; fails when one fails
  local failed=0
  bash "$REPO/services/mosquitto.sh" "$1" || failed=1
  bash "$REPO/services/ceph-rgw.sh" "$1" || failed=1
  return $failed
}

env_lines() {
  local name
  for name in S3_ENDPOINT S3_TLS_ENDPOINT S3_TLS_CA_FILE S3_REGION S3_ACCESS_KEY S3_SECRET_KEY MQTT_URL; do
    printf 'export %s=%q\n' "$name" "${!name}"
  done
}

check() { need_none_missing $(each missing); }

start() {
  check
  each start
  echo
  env_lines
}

case ${1:-} in
  check | start) "$1" ;;
  stop | status) each "$1" ;;
  env) env_lines ;;
  *) echo 'usage: npm run services -- start|stop|status|env|check' >&2; exit 2 ;;
esac
