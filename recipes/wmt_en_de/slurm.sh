#!/usr/bin/env bash
# The recipe as a job of SLURM, on the GPUs of one or several machines that share the folder --work.
#
#   sbatch [--nodes N ...] recipes/wmt_en_de/slurm.sh [options of run.sh ...]
#
# to be submitted from the root of this repository. The first machine prepares the data, all train, the first one
# averages, translates and scores. A job that is stopped and queued again goes on where it was.
#
# Example: sbatch --nodes 2 recipes/wmt_en_de/slurm.sh --config real_8192

#SBATCH --job-name=alone-wmt
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --open-mode=append

set -euo pipefail
# SLURM runs a copy of this file.
cd "${SLURM_SUBMIT_DIR:?is not set; start it with sbatch, see the top of this file}"
[[ -x recipes/wmt_en_de/run.sh ]] || { echo "slurm.sh: error: submit it from the root of the repository" >&2; exit 1; }
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${hosts%%$'\n'*}
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # from SLURM 22.05 on srun does not take sbatch's, and gives one
export HEAD=$first:$((20000 + SLURM_JOB_ID % 20000))  # jobs that share a machine must not share a port

options=()
while (($#)) && [[ $1 != -- ]]; do
  options+=("$1")
  shift
done
srun --nodes=1 --ntasks=1 --nodelist="$first" recipes/wmt_en_de/run.sh "${options[@]}" --stop-stage 4 "$@"
# shellcheck disable=SC2016  # each machine has its own SLURM_NODEID
srun --kill-on-bad-exit=1 bash -c 'exec recipes/wmt_en_de/torchrun.sh "$HEAD" "$SLURM_NNODES" "$SLURM_NODEID" "$@"' \
  slurm.sh "${options[@]}" "$@"
