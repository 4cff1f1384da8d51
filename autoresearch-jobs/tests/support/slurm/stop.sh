#!/bin/sh
# stop.sh NAMESPACE: ends everything that runs in the namespace, which is what start.sh and its cluster have started, and no more.
NS=$1
PATH=$PATH:/usr/sbin:/sbin
[ -e "/run/netns/$NS" ] || exit 0
n=0
while [ $n -lt 100 ]; do
  P=$(ip netns pids "$NS")
  [ -n "$P" ] || break
  kill -KILL $P 2>/dev/null
  n=$((n + 1)); sleep 0.05
done
ip netns del "$NS"
