#!/usr/bin/env bash
# Runs a command beside the real services, with their addresses and keys in its environment (services.sh env).
# Starts the services that are not up and stops those again; leaves alone what was up before. Passes the command's
# exit code on.
# Use: services/with-services.sh COMMAND [ARGUMENT...]
set -euo pipefail
[[ $# -gt 0 ]] || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

started=()
stop_started() {
  local service
  for service in "${started[@]}"; do bash "$here/$service.sh" stop >&2; done
}
trap stop_started EXIT

bash "$here/services.sh" check
for service in mosquitto ceph-rgw; do
  if bash "$here/$service.sh" status >/dev/null; then continue; fi
  started+=("$service")
  bash "$here/$service.sh" start >&2
done
eval "$(bash "$here/services.sh" env)"

# In the background, so that a signal to this script reaches the command and the services are stopped after it.
"$@" <&0 &
command=$!
trap 'kill "$command" 2>/dev/null || :' INT TERM HUP
code=0
wait "$command" || code=$?
while kill -0 "$command" 2>/dev/null; do # the wait was ended by a signal
  code=0
  wait "$command" || code=$?
done
exit "$code"
