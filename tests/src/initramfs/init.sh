#!/usr/bin/sh
# First program of the guest: makes the usual surroundings, waits to be told to go, unpacks what this run is about, runs
# /run/vmnet/script with its output on the second serial port, hands over /run/vmnet/outbox, says the exit code, ends the machine.
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

load() {
    while read -r module; do
        [ -z "$module" ] || modprobe "$module"
    done <"$1"
}
load /run/vmnet/modules

# The port carries bytes as they are, in both directions. It is kept open, or what comes between two uses of it would be lost.
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo 115200
ip link set lo up

# Until here every guest of this kernel is the same: its state may be saved now, and restored later, without network and
# drive, which are plugged in then. What they share that no two machines share, clock and random numbers, comes with the word.
printf '\036vmnet-ready\n' >&3
read -r now seed <&3
date -s "@$now" >/dev/null
printf '%s' "$seed" >/dev/urandom

until [ -b /dev/vda ]; do sleep 0.01; done
(cd / && cpio -idu </dev/vda 2>/dev/null)
load /run/vmnet/requested-modules

until set -- /sys/class/net/*/device && [ -e "$1" ]; do sleep 0.01; done
nic=${1%/device}
ip link set "${nic##*/}" name ens4
ip address add 10.10.1.2/24 dev ens4
ip address add fd00:10:10:1::2/64 dev ens4 nodad
ip link set ens4 up
# The driver says by itself, a moment later, that the link is up.
tries=0
until [ "$(cat /sys/class/net/ens4/operstate)" = up ] || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.02
done

# The script begins when the host has heard of it.
for cpu in $(seq 0 $(($(nproc) - 1))); do taskset -c "$cpu" sleep 0.01; done
printf '\036vmnet-alive\n' >&3

cd /root || exit
sh /run/vmnet/script </dev/null >/dev/ttyS1 2>&1 3>&-
code=$?

# Runs with every hook are held against their light ledger, whoever asked for them.
mkdir -p /run/vmnet/outbox/recordings
find /tmp -name run.vmnet 2>/dev/null | while read -r recording; do
    cp -- "$recording" "/run/vmnet/outbox/recordings/$((number = number + 1))"
done
tar -c -f /dev/vport0p1 -C /run/vmnet/outbox .
printf '\036vmnet-exit %d\n' "$code" >&3
poweroff -f
