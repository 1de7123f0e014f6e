#!/bin/sh
# What the example recording is of: virsh with a daemon of QEMU guests, and a second virsh that
# listens for events meanwhile. It takes a machine whose libvirtd has no guest "web", and leaves
# none. The recording is made by
#
#     virtproto trace --record docs/screens/example.vprec.gz --overwrite -o /dev/null -- \
#         sh docs/screens/example.sh
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/web.xml" <<'XML'
<domain type='qemu'>
  <name>web</name>
  <memory unit='MiB'>32</memory>
  <os><type>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <graphics type='vnc' port='-1' listen='127.0.0.1' passwd='s3cr3t'/>
  </devices>
</domain>
XML
head -c 3145728 /dev/zero > "$folder/disk.img"

connect='qemu:///system'
virsh -q -c "$connect" define "$folder/web.xml" > "$folder/said"
virsh -q -c "$connect" event --event lifecycle --loop --timeout 6 > "$folder/events" &
virsh -q -c "$connect" > "$folder/said" 2>&1 <<COMMANDS || true
list --all
pool-create-as images dir --target $folder
vol-create-as images volume 3M
vol-upload --pool images volume $folder/disk.img
start web
domstats web --state --balloon --vcpu
schedinfo web --live --set cpu_shares=2048
domstate database
dumpxml web --security-info
set-user-password web root s3cr3t
suspend web
resume web
destroy web
undefine web
vol-delete volume --pool images
pool-destroy images
COMMANDS
wait
