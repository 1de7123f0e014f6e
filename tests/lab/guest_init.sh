#!/bin/busybox sh
# The first process of the lab's Linux guest: brings up what libvirt can ask a guest about.
# On the kernel's command line, "dhcp" makes it ask for an address before it says that it is ready.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
cp /run/utmp /tmp/utmp
mount -t tmpfs run /run
mv /tmp/utmp /run/utmp

# The modules come without a list of what needs what: those that fail are tried again.
for round in 1 2 3 4; do
    for module in /lib/modules/*.ko; do
        insmod "$module" 2>/dev/null && rm "$module"
    done
done

hostname lab-guest
ip link set lo up
if ip link set eth0 up 2>/dev/null && grep -qw dhcp /proc/cmdline; then
    udhcpc -i eth0 -n -q -t 20 -T 1 -s /etc/udhcpc.sh >/dev/null 2>&1
fi
[ -b /dev/vda ] && mount -t ext4 /dev/vda /mnt
[ -e /dev/input/event0 ] && acpid

for port in /sys/class/virtio-ports/*; do
    if [ "$(cat "$port/name" 2>/dev/null)" = org.qemu.guest_agent.0 ]; then
        qemu-ga -d -m virtio-serial -p "/dev/${port##*/}" -f /run/qga.pid -t /run -l /run/qga.log
    fi
done
[ -c /dev/ttyS1 ] && echo "guest is ready" >/dev/ttyS1

while :; do
    setsid cttyhack sh
    sleep 1
done
