#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One recipe on several nodes, one process for each GPU; submit it from the repository root (docs/scaling.md):
#   sbatch --nodes=2 --gpus-per-node=4 configs/hw/slurm_train.sh RECIPE DATA OUT [--max_epochs 100 ...]
# RECIPE is a file of configs/recipe; DATA and OUT lie on a file system that all nodes see. An OUT that holds a
# checkpoint is resumed: preempted, or out of time, the job is queued again and goes on after its last whole epoch.
#SBATCH --job-name=brain-mri-train
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@60
#SBATCH --output=%x-%j.out
set -euo pipefail
if [[ $# -lt 3 ]]; then
    echo "usage: sbatch configs/hw/slurm_train.sh RECIPE DATA OUT [more settings]" >&2
    exit 2
fi
recipe=$1 data=$2 out=$3
shift 3
cd "$SLURM_SUBMIT_DIR"
python=${PYTHON:-.venv/bin/python}

processes=${SLURM_GPUS_ON_NODE:-1}
threads=$((SLURM_CPUS_PER_TASK / processes))
export OMP_NUM_THREADS=$((threads > 0 ? threads : 1))
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head_node=${nodes%%$'\n'*}
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs on a node need two ports
files=$("$python" -c "import sys, yaml; print(yaml.safe_load(open(sys.argv[1]))['config_file'] + sys.argv[2:])" \
    "$recipe" configs/hw/multi_gpu.yaml)
former=(--overwrite True) # of an epoch that did not end
if [[ -f $out/checkpoint.pt ]]; then former=(--resume True); fi

trap 'scontrol requeue "$SLURM_JOB_ID"' USR1 # sent a minute before the time is up
srun --kill-on-bad-exit=1 "$python" -m torch.distributed.run \
    --nnodes="$SLURM_NNODES" --nproc_per_node="$processes" \
    --rdzv_backend=c10d --rdzv_endpoint="$head_node:$port" --rdzv_id="$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}" \
    -m monai.bundle run training --args_file "$recipe" --config_file "$files" \
    --dataset_dir "$data" --output_dir "$out" "${former[@]}" "$@" &
wait $! # in the background, so that the signal is not held up
