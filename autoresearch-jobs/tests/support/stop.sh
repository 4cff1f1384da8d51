#!/bin/sh
# stop.sh NAMESPACE STAYS [FOLDER]: when its input ends, ends everything that runs in the namespace, but for the process STAYS, and
# deletes the folder. Its input ends with whoever holds it, however that comes about.
NS=$1 STAYS=$2 FOLDER=$3
PATH=$PATH:/usr/sbin:/sbin
trap '' HUP INT TERM
read -r _
n=0
while [ -e "/run/netns/$NS" ] && [ $n -lt 100 ]; do
  P=$(ip netns pids "$NS" | grep -vx "$STAYS")
  [ -n "$P" ] || break
  kill -KILL $P 2>/dev/null
  n=$((n + 1)); sleep 0.05
done
[ -e "/run/netns/$NS" ] && ip netns del "$NS"
[ -z "$FOLDER" ] || rm -rf "$FOLDER"
