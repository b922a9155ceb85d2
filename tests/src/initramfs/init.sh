#!/usr/bin/sh
# First program of the guest: makes the usual surroundings, runs /run/vmnet/script with its output on the second serial
# port, hands over /run/vmnet/outbox, says the exit code, ends the machine.
export PATH=/usr/local/bin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm /run/vmnet/outbox
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpffs /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
hostname vmnet-guest
ln -s /proc/self/fd /dev/fd

while read -r module; do
    [ -z "$module" ] || modprobe "$module"
done </run/vmnet/modules

# The port carries bytes as they are, in both directions.
stty -F /dev/ttyS1 raw -echo 115200

ip link set lo up
for interface in /sys/class/net/*; do
    case $(readlink "$interface/device/driver") in
    */virtio_net)
        ip link set "${interface##*/}" name ens4
        ;;
    esac
done
ip address add 10.10.1.2/24 dev ens4
ip address add fd00:10:10:1::2/64 dev ens4 nodad
ip link set ens4 up
# The driver says by itself, a moment later, that the link is up.
tries=0
until [ "$(cat /sys/class/net/ens4/operstate)" = up ] || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
done

cd /root || exit
sh /run/vmnet/script </dev/null >/dev/ttyS1 2>&1
code=$?

tar -c -f /dev/vport0p1 -C /run/vmnet/outbox .
printf '\036vmnet-exit %d\n' "$code" >/dev/ttyS1
poweroff -f
