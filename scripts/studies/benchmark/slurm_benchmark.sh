#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Recipes x seeds as a job array, one cell a task; submit it from the repository root (docs/studies/benchmark.md):
#   sbatch --array=0-5 scripts/studies/benchmark/slurm_benchmark.sh DATA OUT residual_unet_mse,thesis_skip_cae_mse 0,1,2
# A task that was preempted is queued again and goes on after its last whole epoch. When all are done:
#   python -m scripts.studies.benchmark report --recipes residual_unet_mse,thesis_skip_cae_mse --seeds 0,1,2 \
#     --dataset_dir DATA --output_dir OUT
#SBATCH --job-name=brain-mri-benchmark
#SBATCH --gpus=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A-%a.out
set -euo pipefail
if [[ $# -lt 4 ]]; then
    echo "usage: sbatch --array=0-N scripts/studies/benchmark/slurm_benchmark.sh DATA OUT RECIPE,RECIPE,... SEED,SEED,..." >&2
    exit 2
fi
data=$1 out=$2
IFS=, read -ra recipes <<<"$3"
IFS=, read -ra seeds <<<"$4"
shift 4
cd "$SLURM_SUBMIT_DIR"

cells=$((${#recipes[@]} * ${#seeds[@]}))
cell=$SLURM_ARRAY_TASK_ID
if ((cell >= cells)); then
    echo "error: task $cell of $cells: submit with --array=0-$((cells - 1))" >&2
    exit 2
fi
recipe=${recipes[cell / ${#seeds[@]}]}
seed=${seeds[cell % ${#seeds[@]}]}
exec "${PYTHON:-.venv/bin/python}" -m scripts.studies.benchmark --recipes "$recipe" --seeds "$seed" \
    --dataset_dir "$data" --output_dir "$out" --threads "$SLURM_CPUS_PER_TASK" --jobs 1 "$@"
