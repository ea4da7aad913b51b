#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A BIDS dataset as a job array, one subject a task, then the group page (docs/bids.md). LIST holds a label a line:
#   ls BIDS_DIR | grep ^sub- > LIST
#   bash configs/hw/slurm_bids.sh BIDS_DIR OUT LIST [--skip_existing ...]     # says how to submit
# BIDS_DIR, OUT and LIST lie on a file system that all nodes see. What runs is $BRAIN_AE, by default "brain-ae bids", or
# "apptainer run --cleanenv -B BIDS_DIR -B OUT brain-ae.sif".
#SBATCH --job-name=brain-ae
#SBATCH --cpus-per-task=2
#SBATCH --mem=6G
#SBATCH --time=00:30:00
#SBATCH --output=%x-%A-%a.out
set -euo pipefail
if [[ $# -lt 3 ]]; then
    echo "usage: bash configs/hw/slurm_bids.sh BIDS_DIR OUT LIST [more options of brain-ae bids]" >&2
    exit 2
fi
bids_dir=$1 out=$2 list=$3
if [[ ! -r $list ]]; then
    echo "error: there is no list $list: make it with  ls $bids_dir | grep ^sub- > $list" >&2
    exit 2
fi
mapfile -t labels < <(tr -d '\r' <"$list" | grep -v '^[[:space:]]*$')
read -ra program <<<"${BRAIN_AE:-brain-ae bids}"

if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
    if ((SLURM_ARRAY_TASK_ID < 1 || SLURM_ARRAY_TASK_ID > ${#labels[@]})); then
        echo "error: task $SLURM_ARRAY_TASK_ID of ${#labels[@]}: submit with --array=1-${#labels[@]}" >&2
        exit 2
    fi
    export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
    exec "${program[@]}" "$bids_dir" "$out" participant --participant_label "${labels[SLURM_ARRAY_TASK_ID - 1]}" "${@:4}"
elif [[ -n ${SLURM_JOB_ID:-} ]]; then
    exec "${program[@]}" "$bids_dir" "$out" group --participant_label "${labels[@]}"
fi
printf -v arguments ' %q' "$0" "$@"
printf -v group ' %q' "$0" "$bids_dir" "$out" "$list"
echo "job=\$(sbatch --parsable --array=1-${#labels[@]}$arguments)"
echo "sbatch --dependency=afterany:\$job --output=%x-group-%j.out$group"
