# shellcheck shell=bash
# Training and averaging.

# epoch_checkpoints RUN: those written at the end of an epoch, the newest last.
epoch_checkpoints() {
  mkdir -p "$1/checkpoints"
  find "$1/checkpoints" -name 'checkpoint[0-9]*.pt' | sort -V
}

# train BIN RUN ARGUMENT...: fairseq-train on one GPU in half precision, or without one. It goes on from the
# newest epoch: checkpoint_last.pt is a copy, which a kill can cut short. RUN/train.log grows.
train() {
  local bin=$1 run=$2 user_dir newest device=(--cpu)
  user_dir=$(alone user-dir)
  newest=$(epoch_checkpoints "$run" | tail -n 1)
  if python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    device=(--fp16 --distributed-world-size 1)
  fi
  fairseq-train "$bin" --user-dir "$user_dir" "${@:3}" "${device[@]}" \
    --save-dir "$run/checkpoints" --no-last-checkpoints ${newest:+--restore-file "$newest"} \
    --log-format simple --log-interval 50 2>&1 | tee -a "$run/train.log"
}

# average_newest RUN COUNT OUTPUT: of the newest epochs, COUNT at most.
average_newest() {
  local epochs
  epochs=$(epoch_checkpoints "$1" | wc -l)
  ((epochs)) || die "$1: the training ended within its first epoch; give it more time"
  alone average --inputs "$1/checkpoints" --last $((epochs < $2 ? epochs : $2)) --output "$3"
}
