#!/usr/bin/sh
# send-file NAME PATH: the host gets the file, under this name, when the guest's script has ended.
if [ $# -ne 2 ]; then
    echo 'usage: send-file NAME PATH' >&2
    exit 2
fi
exec cp -- "$2" "/run/vmnet/outbox/$1"
