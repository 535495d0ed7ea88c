#!/bin/bash
# What every job of a fleet runs, unchanged: PYTHON and the job's JSON file are its arguments, and all that varies is in
# that file. Nothing of the node's or the submitter's environment reaches the harness but the variables named here.
set -u
python=$1
job=$2
kept=()
for name in SLURM_CONF SLURM_JOB_ID SLURMD_NODENAME SLURM_JOB_GPUS CUDA_VISIBLE_DEVICES TZ; do
  if [ -n "${!name+set}" ]; then kept+=("$name=${!name}"); fi
done
# In the background: a shell that waits in the foreground gets no signal before its child ends.
env -i PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 ${kept[@]+"${kept[@]}"} \
  "$python" -I -m harness.cli fleet work "$job" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT
wait "$child"
code=$?
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done
exit "$code"
