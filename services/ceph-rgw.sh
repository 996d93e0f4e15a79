#!/usr/bin/env bash
# Ceph's S3 gateway on a cluster of one: 1 mon, 1 osd, 1 rgw, in one folder, without systemd. Data is durable.
# Use: ceph-rgw.sh missing|start|stop|status   (settings.sh tells what can be set; for an empty cluster, stop it
# and delete its folder)
#      ceph-rgw.sh add-user NAME ACCESS_KEY SECRET_KEY | remove-user NAME   (a further user, who may do nothing yet)
set -euo pipefail
ME=ceph-rgw
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

D=$SERVICES_DIR/ceph
CONF=$D/ceph.conf
OSD_BYTES=10737418240 # of a sparse file
S3_USER=s3-batch

missing() {
  missing_of ceph-mon:ceph-mon ceph-osd:ceph-osd radosgw:radosgw ceph:ceph-common curl:curl openssl:openssl
}

daemon_pid() { pid_of "$D/run/$1.pid" "$CONF"; }
ceph_() { timeout "$WAIT" ceph -c "$CONF" --connect-timeout 20 "$@"; }
admin() { timeout "$WAIT" radosgw-admin -c "$CONF" "$@" >/dev/null 2>>"$D/log/admin.log"; }
endpoints() { echo "endpoint=$HOST:$S3_PORT ssl_endpoint=$HOST:$S3_TLS_PORT"; }
osd_up() { ceph_ osd stat -f json | grep -q '"num_up_osds":1'; }
rgw_up() {
  daemon_pid client.rgw >/dev/null || return 1
  local answers
  answers=$(curl -sS --noproxy '*' --max-time 5 --cacert "$S3_TLS_CA_FILE" "$S3_ENDPOINT/" "$S3_TLS_ENDPOINT/" 2>/dev/null)
  [[ $answers == *'<ListAllMyBuckets'*'<ListAllMyBuckets'* ]]
}

wait_for() { # daemon, command...
  local name=$1 since=$SECONDS
  shift
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $((since + WAIT)) ]] || die "$name is not ready after $WAIT s (see $D/log)"
    [[ $SECONDS -lt $((since + 3)) ]] || daemon_pid "$name" >/dev/null || die "$name has ended (see $D/log)"
    sleep 0.2
  done
}

# One keyring for all. The monitor takes over every entry when it is made, so nobody need be registered later.
# cephx and not `none`: without it radosgw starts over and over.
make_keyring() {
  local name
  (
    umask 077
    for name in mon. client.admin osd.0 client.rgw; do
      printf '[%s]\n\tkey = %s\n\tcaps mon = "allow *"\n\tcaps osd = "allow *"\n\tcaps mgr = "allow *"\n' \
        "$name" "$(ceph-authtool --gen-print-key)"
    done >"$D/keyring.new"
    mv "$D/keyring.new" "$D/keyring"
  )
}

# The gateway's certificate and the authority that signed it, whose key is not kept: nobody gets another.
make_certificate() {
  local new=$D/tls.new
  # Nothing of the system's openssl.cnf, whose extensions would come on top.
  local args=(-x509 -config /dev/null -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650)
  rm -rf "$new" "$D/tls"
  (
    umask 077
    mkdir "$new" &&
      openssl req "${args[@]}" -subj '/CN=authority of the test services' -keyout "$new/ca.key" -out "$new/ca.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign &&
      openssl req "${args[@]}" -subj '/CN=Ceph RGW' -keyout "$new/rgw.key" -out "$new/rgw.pem" \
        -addext basicConstraints=critical,CA:FALSE -addext "subjectAltName=IP:$HOST,DNS:localhost" \
        -CA "$new/ca.pem" -CAkey "$new/ca.key" &&
      rm "$new/ca.key"
  ) 2>"$D/log/openssl.log" || die "the gateway's certificate cannot be made (see $D/log/openssl.log)"
  mv "$new" "$D/tls"
}

write_conf() {
  cat >"$CONF" <<CONF
[global]
fsid = $(cat "$D/fsid")
mon host = [v2:$HOST:$MON_PORT]
public addr = $HOST
cluster addr = $HOST
ms bind msgr1 = false
ms bind port min = $OSD_PORTS
ms bind port max = $((OSD_PORTS + 99))
auth allow insecure global id reclaim = false
run dir = $D/run
pid file = $D/run/\$name.pid
admin socket = $D/run/\$name.\$pid.asok
log file = $D/log/\$name.log
crash dir = $D/crash
keyring = $D/keyring
osd pool default size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
# A start from nothing takes 6 s with this, 16 s with the default.
paxos propose interval = 0.05
[mon]
mon data = $D/mon
mon cluster log file = $D/log/cluster.log
mon data avail warn = 5
mon data avail crit = 1
[osd]
osd data = $D/osd
# memstore would lose the data at a stop.
osd objectstore = bluestore
osd memory target = 1073741824
osd fast shutdown = true
bluestore block size = $OSD_BYTES
[client.rgw]
# Without tcp_nodelay a ranged GET takes 48 ms instead of 4.
rgw frontends = beast $(endpoints) ssl_certificate=$D/tls/rgw.pem ssl_private_key=$D/tls/rgw.key tcp_nodelay=1
rgw data = $D/rgw
rgw enable usage log = false
rgw enable ops log = false
# What tests delete would otherwise keep its room for two hours.
rgw gc obj min wait = 60
rgw gc processor period = 60
CONF
}

start_mon() {
  if [[ ! -e $D/mon/.ok ]]; then
    rm -rf "$D/mon"
    mkdir "$D/mon"
    monmaptool --create --clobber --fsid "$(cat "$D/fsid")" --addv a "[v2:$HOST:$MON_PORT]" "$D/monmap" >/dev/null
    ceph-mon -i a -c "$CONF" --mkfs --monmap "$D/monmap" --keyring "$D/keyring" >>"$D/log/mkfs.log" 2>&1
    echo "$MON_PORT" >"$D/mon/.ok"
  fi
  ceph-mon -i a -c "$CONF" 9>&- </dev/null >>"$D/log/mon.out" 2>&1 || die "mon.a does not start (see $D/log)"
}

start_osd() {
  if [[ ! -e $D/osd/.ok ]]; then
    rm -rf "$D/osd"
    mkdir "$D/osd"
    ceph_ osd new "$(cat "$D/osd-uuid")" 0 >/dev/null
    ceph-osd -i 0 -c "$CONF" --mkfs --osd-uuid "$(cat "$D/osd-uuid")" >>"$D/log/mkfs.log" 2>&1
    touch "$D/osd/.ok"
  fi
  ceph-osd -i 0 -c "$CONF" 9>&- </dev/null >>"$D/log/osd.out" 2>&1 || die "osd.0 does not start (see $D/log)"
}

# The file beside the cluster remembers which keys it was given: asking radosgw-admin takes a second.
make_user() {
  local keys="$S3_ACCESS_KEY $S3_SECRET_KEY"
  [[ $(cat "$D/user" 2>/dev/null) != "$keys" ]] || return 0
  admin user create --uid "$S3_USER" --display-name "$S3_USER" --access-key "$S3_ACCESS_KEY" --secret-key "$S3_SECRET_KEY" ||
    admin key create --uid "$S3_USER" --key-type s3 --access-key "$S3_ACCESS_KEY" --secret-key "$S3_SECRET_KEY" ||
    die "the S3 user cannot be made (see $D/log/admin.log)"
  (umask 077 && echo "$keys" >"$D/user")
}

add-user() { admin user create --uid "$1" --display-name "$1" --access-key "$2" --secret-key "$3"; }
remove-user() { admin user rm --uid "$1"; }

start() {
  need_none_missing $(missing)
  mkdir -p "$D"/{run,log,mon,osd,rgw,crash}
  lock "$D"
  if [[ -e $D/mon/.ok && $(cat "$D/mon/.ok") != "$MON_PORT" ]]; then
    die "the cluster in $D was made with S3_BATCH_MON_PORT=$(cat "$D/mon/.ok"); set that, or stop it and delete the folder"
  fi
  [[ -s $D/fsid ]] || cat /proc/sys/kernel/random/uuid >"$D/fsid"
  [[ -s $D/osd-uuid ]] || cat /proc/sys/kernel/random/uuid >"$D/osd-uuid"
  [[ -s $D/keyring ]] || make_keyring
  ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

  if daemon_pid client.rgw >/dev/null; then
    grep -qF "beast $(endpoints) " "$CONF" ||
      die "it runs with other ports already ($(grep -oE 'beast endpoint=[^ ]*( ssl_endpoint=[^ ]*)?' "$CONF")); stop it first"
  else
    need_free_port "$S3_PORT" "Ceph's S3 gateway" S3_BATCH_S3_PORT
    need_free_port "$S3_TLS_PORT" "Ceph's S3 gateway over TLS" S3_BATCH_S3_TLS_PORT
    [[ -s $D/tls/rgw.pem ]] || make_certificate
  fi
  daemon_pid mon.a >/dev/null || need_free_port "$MON_PORT" "Ceph's monitor" S3_BATCH_MON_PORT
  write_conf

  daemon_pid mon.a >/dev/null || start_mon
  daemon_pid osd.0 >/dev/null || start_osd
  wait_for osd.0 osd_up
  make_user
  if ! daemon_pid client.rgw >/dev/null; then
    radosgw -n client.rgw -c "$CONF" 9>&- </dev/null >>"$D/log/rgw.out" 2>&1 || die "radosgw does not start (see $D/log)"
  fi
  wait_for client.rgw rgw_up
  status
}

stop() {
  [[ -d $D ]] || return 0
  lock "$D"
  local name
  for name in client.rgw osd.0 mon.a; do
    stop_daemon "$name" "$D/run/$name.pid" "$CONF" 15
  done
  rm -f "$D"/run/*.asok
}

status() {
  local name pid pids=() down=()
  for name in mon.a osd.0 client.rgw; do
    if pid=$(daemon_pid "$name"); then pids+=("$name $pid"); else down+=("$name"); fi
  done
  if [[ ${#down[@]} -gt 0 ]]; then
    echo "ceph-rgw  down: no ${down[*]}"
    return 1
  fi
  rgw_up || { echo "ceph-rgw  down: its daemons run, but $S3_ENDPOINT or $S3_TLS_ENDPOINT does not answer"; return 1; }
  local IFS=,
  echo "ceph-rgw  up   $S3_ENDPOINT  $S3_TLS_ENDPOINT  (${pids[*]})"
}

case ${1:-} in
  missing | start | stop | status) "$1" ;;
  add-user | remove-user) "$@" ;;
  *) echo "usage: $0 missing|start|stop|status|add-user|remove-user" >&2; exit 2 ;;
esac
