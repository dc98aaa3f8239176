#!/bin/bash
# A SLURM job; submit it in a folder that the machines share:
#     sbatch --nodes 4 --cpus-per-task 8 deploy/slurm.sh scripts/train.py --all
# One process per CPU core; each takes the next free run. The same command continues unfinished runs.
#SBATCH --ntasks-per-node 1
#SBATCH --time 12:00:00
set -eu
: "${SLURM_CPUS_PER_TASK:?give --cpus-per-task}" # since SLURM 22.05 srun does not inherit it from sbatch
port=$((29500 + SLURM_JOB_ID % 1000)) # one per job
srun --cpus-per-task "$SLURM_CPUS_PER_TASK" torchrun \
    --nnodes "$SLURM_NNODES" --nproc-per-node "$SLURM_CPUS_PER_TASK" --rdzv-id "$SLURM_JOB_ID" \
    --rdzv-backend c10d --rdzv-endpoint "$(hostname):$port" "$@"
