# run.sh FOLDER INCARNATION: runs the command of a launch within its limits, and writes down how it ended.
#
# FOLDER is on storage that the driver sees, too, and holds what the driver has put there: `params`, `env`, `start`, `in`, and
# `fence`, which names the launch for as long as the driver wants it. INCARNATION counts how often the engine has started this
# launch: 0, and more where it has been requeued. Only the newest one's record counts.
D=$1; K=$2
cd "$D" 2>/dev/null || exit 96
. ./params || exit 96
wanted() { [ "$(cat "$D/fence" 2>/dev/null)" = "$token" ]; }
replaced() {
  for b in "$D"/begun.*; do [ "${b##*.}" -gt "$K" ] 2>/dev/null && return 0; done
  return 1
}
wanted || exit 95
replaced && exit 95
mkdir "begun.$K" 2>/dev/null || exit 95
I=$D/begun.$K
mkdir "$I/home" "$I/tmp" || exit 96
if [ -n "$folder" ]; then W=$folder
elif [ "$requeue" = 1 ]; then W=$I/work; cp -R in "$W" || exit 96
else W=$I/work; mv in "$W" || exit 96; fi

# Elapsed time in hundredths of a second, without a process for it.
now() { read -r t _ </proc/uptime; t=${t%.*}${t#*.}; t=${t#0}; t=${t#0}; }
# The processes of this start of the job: all that carry its mark, whatever session they have gone to. Another start of it may run
# on the same machine.
mark=$token.$K.
marked() {
  for e in $(grep -lsF "AUTORESEARCH_LAUNCH=$mark" /proc/[0-9]*/environ 2>/dev/null); do
    e=${e#/proc/}; echo "${e%/environ}"
  done
}
# Pages in memory, ticks of processor time and ids of the first process, its session and what has come from it. The first process
# may be gone, and its number another's: then it began at another time, and nothing of its session is left.
count() {
  { read -r h b <"$I/head"; } 2>/dev/null || return 1
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v h="$h" -v b="$b" '
    { id = $1 + 0; sub(/^.*\) /, ""); split($0, f, " ")
      if (id == h && b != "" && f[20] != b) other = 1
      if (f[1] == "Z") next
      parent[id] = f[2]; ours[id] = (id == h || f[3] == h || f[4] == h)
      ticks[id] = f[12] + f[13] + f[14] + f[15]; pages[id] = f[22] }
    END {
      if (other) { print "0 0"; exit }
      for (id in parent) {
        p = id; n = 0
        while (p in parent && !ours[p] && n < 64) { p = parent[p]; n++ }
        if ((p in parent) && ours[p]) { r += pages[id]; t += ticks[id]; ids = ids " " id }
      }
      print r + 0, t + 0, ids }'
}
family() { { count | cut -d' ' -f3-; marked; } | tr ' ' '\n' | sort -u | tr '\n' ' '; }
# Ends all of it; says how many there were.
end() {
  left=; n=0
  while [ $n -lt 200 ]; do
    p=$(family); p=${p# }
    [ -n "$(echo $p)" ] || break
    [ -n "$left" ] || left=$(echo $p | wc -w)
    kill -KILL $p 2>/dev/null
    n=$((n + 1)); sleep 0.02
  done
  left=$((${left:-0}))
}
put() { printf '%s\n' "$2" >"$I/$1.half" && mv "$I/$1.half" "$I/$1"; }

# Looks at limits and the fence until it is ended; says why it has ended the job.
look() {
  page=$(getconf PAGE_SIZE 2>/dev/null || echo 4096); tick=$(getconf CLK_TCK 2>/dev/null || echo 100)
  peak=0; most=0; missed=0; next=0; nap=0.1
  while :; do
    sleep $nap; now; why=
    [ -n "$wall" ] && [ $((t - t0)) -ge "$wall" ] && why=wall_clock
    if [ -n "$output" ]; then
      said=$(cat "$I/stdout" "$I/stderr" 2>/dev/null | wc -c)
      [ "$said" -gt "$output" ] && why=output
    fi
    if [ $t -ge $next ]; then
      set -- $(count); r=$((${1:-0} * page)); c=$((${2:-0} * 100 / tick))
      if [ $r -gt $peak ]; then peak=$r; put peak $peak; fi
      [ $c -gt $most ] && { most=$c; put sampled $most; }
      [ -n "$memory" ] && [ $r -gt "$memory" ] && why=memory
      [ -n "$cpu" ] && [ $c -gt "$cpu" ] && why=cpu_time
      next=$((t + 100)); [ -n "$memory$cpu" ] && next=$((t + 20))
    fi
    if [ $((t - told_at)) -ge 100 ]; then
      told_at=$t; : >"$I/beat" 2>/dev/null
      if wanted; then missed=0; else missed=$((missed + 1)); fi
      # One miss may be the storage's; three are the driver's wish.
      { [ $missed -ge 3 ] || replaced; } && why=fenced
    fi
    if [ -n "$why" ]; then put stop $why; end; return; fi
    # Long jobs are not disturbed ten times a second where nothing needs it.
    [ -z "$wall$output$memory$cpu" ] && [ $((t - t0)) -gt 1000 ] && nap=1
  done
}

# Of a stream that is limited no more than one byte beyond it gets to the storage.
keep() {
  if [ -z "$output" ]; then exec cat
  elif command -v stdbuf >/dev/null 2>&1; then exec stdbuf -o0 head -c $((output + 1))
  else exec head -c $((output + 1)); fi
}
body() {
  trap - TERM INT HUP
  # Of the engine's own environment the job gets what tells it of its GPUs and its place.
  export -p | sed -n "s/^declare -x/export/; /^export \(SLURM_[A-Z_]*\|CUDA_VISIBLE_DEVICES\|GPU_DEVICE_ORDINAL\|ROCR_VISIBLE_DEVICES\|HIP_VISIBLE_DEVICES\|ZE_AFFINITY_MASK\)=\('[^']*'\|\"[^\"\$\`\\\\]*\"\)\$/p" >"$I/place"
  session=; command -v setsid >/dev/null 2>&1 && session=setsid
  # Why the command was not started is told through a file that has no name, and that the command does not have open.
  : >"$I/refused"; exec 9>"$I/refused" 8<"$I/refused"; rm "$I/refused"
  # A shell has what is in its background ignore two of these, and whoever has started the engine by `nohup` another; a shell cannot
  # take that back, `env` can from coreutils 8.31 on.
  default=; env --default-signal=HUP,INT,QUIT,TERM true 2>/dev/null && default=--default-signal=HUP,INT,QUIT,TERM
  $session env $default -i AUTORESEARCH_LAUNCH="$mark" /bin/sh "$D/start" "$D" "$I" "$W" </dev/null 8<&- &
  head=$!; begun=; { read -r begun </proc/$head/stat; } 2>/dev/null
  set -- ${begun##*) }; echo $head ${20} >"$I/head.half" && mv "$I/head.half" "$I/head"
  wait $head; s=$?
  put refused "$([ $s = 125 ] && tr -cd "A-Za-z0-9 .,:;'_/#!()-" <&8)"
  times >"$I/times"; put status $s
}

t=0; now; t0=$t; told_at=$((t - 100)); signal=
: >"$I/stdout"; : >"$I/stderr"
trap 'signal=1' TERM INT HUP
if [ -n "$output$file_size" ]; then
  { { body 2>&1 >&3 3>&- | keep >"$I/stderr"; } 3>&1 | keep >"$I/stdout"; } &
else
  body >"$I/stdout" 2>"$I/stderr" &
fi
runner=$!
look </dev/null >/dev/null 2>&1 &
looker=$!
# The job's first process ends before the pipes do, which what it has left behind may hold open.
if [ -n "$output$file_size" ]; then
  while [ ! -e "$I/status" ] && kill -0 $runner 2>/dev/null && [ -z "$signal" ]; do sleep 0.05; done
else
  while kill -0 $runner 2>/dev/null && [ -z "$signal" ]; do wait $runner; done
fi
now; t1=$t
[ -n "$signal" ] && put stop terminated
# Something that was stopped is ended by whoever has stopped it; both may do so.
end; ended=$left
[ -e "$I/stop" ] && ended=0
kill $looker 2>/dev/null
n=0; while kill -0 $runner 2>/dev/null && [ $n -lt 200 ]; do sleep 0.02; n=$((n + 1)); done
# With what is its launch's the job does not take its end away: it would look like the machine's fault.
if wanted; then
  taken=; chmod u+rwx "$D" "$I" 2>/dev/null
  [ -d "$I" ] || { taken=1; rm -rf "$I"; mkdir "$I"; }
  for f in stdout stderr; do
    [ -f "$I/$f" ] || { taken=1; rm -rf "$I/$f"; : >"$I/$f"; }
    chmod u+rw "$I/$f"
  done
  if [ -n "$taken" ]; then
    echo 'the job has deleted files of its launch, which are not its own' >>"$I/stderr"
    [ -f "$I/status" ] || [ -f "$I/stop" ] || put status 1
  fi
fi
stop=$(cat "$I/stop" 2>/dev/null); status=$(cat "$I/status" 2>/dev/null)
# Who waits for the command is gone: told to end before this was, or killed by the command itself.
n=0; while [ -z "$status$stop$signal" ] && [ $n -lt 100 ]; do sleep 0.02; n=$((n + 1)); done
[ -z "$status$stop" ] && [ -n "$signal" ] && stop=terminated
# A driver that wants no more of this has taken the folder away, or another has begun: then this one's end counts for nothing.
{ [ "$stop" != fenced ] && wanted && ! replaced; } || exit 95
used=$(tail -n 1 "$I/times" 2>/dev/null)
refused=; [ "$status" = 125 ] && refused=$(tr -cd "A-Za-z0-9 .,:;'_/#!()-" <"$I/refused" 2>/dev/null)
printf '{"token":"%s","incarnation":%s,"status":%s,"stop":"%s","refused":"%s","wall":%s.%02d,"used":"%s","sampled":%s,"peak":%s,"place":"%s","left_behind":%s}\n' \
  "$token" "$K" "${status:-137}" "$stop" "$refused" $(((t1 - t0) / 100)) $(((t1 - t0) % 100)) "$used" \
  "$(cat "$I/sampled" 2>/dev/null || echo 0)" "$(cat "$I/peak" 2>/dev/null || echo 0)" "$(uname -n)" "$ended" >"$I/exit.half" &&
  mv "$I/exit.half" "$D/exit-$K.json" || exit 96
exit "${status:-137}"
