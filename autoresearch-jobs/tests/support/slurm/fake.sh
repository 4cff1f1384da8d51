#!/bin/sh
# fake.sh FOLDER PROGRAM ARGS: stands for Slurm's programs. Jobs are only noted, or, where FOLDER/run is there, run.
#
# FOLDER/away: what all programs fail with. FOLDER/refuse: what sbatch fails with. FOLDER/state: what squeue says of every job that
# is not run, in place of RUNNING|…; FOLDER/garbage: what squeue prints. FOLDER/limit: how many jobs there may be. FOLDER/cleaning:
# what has ended is still being cleaned up after. FOLDER/calls: what was called.
F=$1; P=$2; shift 2
echo "$P $*" >>"$F/calls"
[ -e "$F/away" ] && { cat "$F/away" >&2; exit 1; }
case $P in
sbatch)
  [ -e "$F/refuse" ] && { cat "$F/refuse" >&2; exit 1; }
  id=$(($(cat "$F/last" 2>/dev/null || echo 0) + 1)); echo $id >"$F/last"
  name=; most=
  for a in "$@"; do
    case $a in --job-name=*) name=${a#*=} ;; --array=*) most=${a##*-} ;; esac
  done
  if [ -e "$F/limit" ]; then
    n=$((${most:-0} + 1))
    for j in "$F"/job.*; do [ -e "$j" ] && [ ! -e "$F/rc.${j##*/job.}" ] && n=$((n + 1)); done
    if [ $n -gt "$(cat "$F/limit")" ]; then
      echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2
      echo "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)" >&2
      exit 1
    fi
  fi
  cat >"$F/$id.sh"
  i=0
  while [ $i -le "${most:-0}" ]; do
    job=$id; [ -n "$most" ] && job=${id}_$i
    echo "$name" >"$F/job.$job"
    [ -e "$F/run" ] && { (SLURM_ARRAY_TASK_ID=$i sh "$F/$id.sh" >/dev/null 2>&1; echo $? >"$F/rc.$job") & }
    i=$((i + 1))
  done
  [ -e "$F/deaf" ] && { rm "$F/deaf"; echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1; }
  echo $id
  ;;
squeue)
  [ -e "$F/garbage" ] && { cat "$F/garbage"; exit 0; }
  for j in "$F"/job.*; do
    [ -e "$j" ] || continue
    job=${j##*/job.}; read -r name <"$j"
    rest="RUNNING|node7|None|$name"
    [ -e "$F/state" ] && rest="$(sed "s/NAME/$name/" "$F/state")"
    [ -e "$F/rc.$job" ] && rest="COMPLETED|node7|None|$name"
    [ -e "$F/rc.$job" ] && [ -e "$F/cleaning" ] && rest="COMPLETING|node7|None|$name"
    echo "$job|$rest"
  done
  ;;
scancel) for job in "$@"; do rm -f "$F/job.$job"; done ;;
scontrol)
  [ -e "$F/code" ] || { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
  echo "JobId=1 JobName=x JobState=FAILED Reason=NonZeroExitCode ExitCode=$(cat "$F/code"):0 NodeList=node7"
  ;;
esac
