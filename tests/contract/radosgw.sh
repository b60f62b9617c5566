#!/usr/bin/env bash
# Usage: radosgw.sh PORT FOLDER
# Ceph's S3 gateway on 127.0.0.1:PORT, over a cluster of one monitor and one object store that keeps everything in memory.
# FOLDER is empty; configuration and the monitor's database go there. Needs Debian's radosgw, ceph-mon and ceph-osd.
# All processes stay in this script's process group: to stop them, end the group.
set -euo pipefail
port=$1
monitor=127.0.0.1:$((port > 40000 ? port - 10000 : port + 10000))
folder=$2
cat > "$folder/ceph.conf" <<CONF
[global]
fsid = 00000000-0000-4000-8000-000000000000
mon host = [v1:$monitor]
mon data = $folder/mon
mon allow pool size one = true
auth cluster required = none
auth service required = none
auth client required = none
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd data = $folder/osd
osd objectstore = memstore
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
memstore device bytes = 2147483648
log file =
log to stderr = false
run dir = $folder
admin socket =
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$port
rgw run sync thread = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw data = $folder/rgw
keyring = $folder/keyring
CONF
export CEPH_CONF=$folder/ceph.conf
: > "$folder/keyring"
mkdir "$folder/osd" "$folder/rgw"
monmaptool --create --fsid 00000000-0000-4000-8000-000000000000 --addv a "[v1:$monitor]" "$folder/monmap" > /dev/null
ceph-mon --mkfs -i a --monmap "$folder/monmap"
ceph-mon -i a -f &
ceph osd create > /dev/null
ceph-osd -i 0 --mkfs
ceph-osd -i 0 -f &
radosgw-admin user create --uid test --display-name test --access-key test --secret-key test > /dev/null
radosgw -n client.rgw -f &
wait
