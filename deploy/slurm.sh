#!/bin/bash
# What SLURM runs, in a folder that the machines share:
#     sbatch --nodes 4 --cpus-per-task 8 deploy/slurm.sh scripts/train.py --all
# One process for each processor; every one takes the next run that nobody has taken. The same command again goes on.
#SBATCH --ntasks-per-node 1
#SBATCH --time 12:00:00
set -eu
: "${SLURM_CPUS_PER_TASK:?give --cpus-per-task}" # since 22.05 not every srun takes it over from sbatch
port=$((29500 + SLURM_JOB_ID % 1000)) # of its own for each job
srun --cpus-per-task "$SLURM_CPUS_PER_TASK" torchrun \
    --nnodes "$SLURM_NNODES" --nproc-per-node "$SLURM_CPUS_PER_TASK" --rdzv-id "$SLURM_JOB_ID" \
    --rdzv-backend c10d --rdzv-endpoint "$(hostname):$port" "$@"
