#!/bin/sh
# start.sh RUN NAMESPACE: a Slurm cluster on this machine, in a network namespace that nothing outside can reach.
set -eu
RUN=$1; NS=$2; HERE=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$RUN/state" "$RUN/bin"; chmod 755 "$RUN"
for n in 1 2 3 4 5; do mkdir -p "$RUN/spool.n$n"; done
# Slurm resolves names only on a machine that has an address beyond loopback: a pair of which both ends stay in here.
ip -n "$NS" link add v0 type veth peer name v1
ip -n "$NS" addr add 198.51.100.1/32 dev v0; ip -n "$NS" link set v0 up
sed -e "s#@RUN@#$RUN#g" -e "s#@HOST@#$(uname -n | cut -d. -f1)#g" "$HERE/slurm.conf.in" >"$RUN/slurm.conf"
head -c 1024 /dev/urandom >"$RUN/munge.key"; chmod 600 "$RUN/munge.key"
# Not `ip netns exec`, which mounts another /sys, where slurmd finds no control groups.
IN="nsenter --net=/run/netns/$NS env SLURM_CONF=$RUN/slurm.conf"
for p in sbatch squeue scancel scontrol sinfo slurmctld slurmd; do
  printf '#!/bin/sh\nexec %s %s "$@"\n' "$IN" "$p" >"$RUN/bin/$p"
  chmod 755 "$RUN/bin/$p"
done
$IN munged --force --key-file="$RUN/munge.key" --socket="$RUN/munge.socket" --pid-file="$RUN/munged.pid" \
  --log-file="$RUN/munged.log" --seed-file="$RUN/munged.seed"
"$RUN/bin/slurmctld" -c -f "$RUN/slurm.conf"
for n in 1 2 3 4 5; do "$RUN/bin/slurmd" -N "n$n" -f "$RUN/slurm.conf"; done
n=0
while [ $n -lt 600 ]; do
  [ "$("$RUN/bin/sinfo" -h -p main,lost,again -t idle -o %D 2>/dev/null | awk '{ n += $1 } END { print n }')" = 5 ] && exit 0
  n=$((n + 1)); sleep 0.1
done
"$RUN/bin/sinfo" >&2; tail -n 5 "$RUN"/*.log >&2
exit 1
