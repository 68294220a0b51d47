#!/usr/bin/env bash
# One process of fairseq's data-parallel training, as torchrun starts it: worker.sh ARGUMENT...
# fairseq would find torchrun's variables by itself, but only where there are GPUs. The process ends with
# torchrun, however that ends: nothing that was killed goes on writing checkpoints.
set -euo pipefail
exec setpriv --pdeathsig KILL python "${0%/*}/fairseq_train.py" "$@" \
  --distributed-no-spawn --distributed-init-method env:// \
  --distributed-world-size "$WORLD_SIZE" --distributed-rank "$RANK" --device-id "$LOCAL_RANK"
