# shellcheck shell=bash
# Training and averaging.

log=  # of the training, where it is not RUN/train.log

lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# epoch_checkpoints RUN: those written at the end of an epoch, the newest last.
epoch_checkpoints() {
  mkdir -p "$1/checkpoints"
  find "$1/checkpoints" -name 'checkpoint[0-9]*.pt' | sort -V
}

# last_epoch RUN: the number of the newest of them, or 0.
last_epoch() {
  epoch_checkpoints "$1" | sed 's/.*checkpoint\([0-9]*\)\.pt$/\1/' | tail -n 1 | grep . || echo 0
}

# count_gpus: of this machine.
count_gpus() {
  python -c 'import torch; print(torch.cuda.device_count())'
}

# divisors NUMBER
divisors() {
  local number fitting=()
  for ((number = 1; number <= $1; number++)); do
    (($1 % number)) || fitting+=("$number")
  done
  echo "${fitting[*]}"
}

# larger_batches USUAL: with the recipe's --max-tokens in the place of USUAL, an update has fewer `batches`.
larger_batches() {
  local factor sizes=()
  [[ -n ${max_tokens:-} ]] || return 0
  not_ours --max-tokens
  for factor in $(divisors "$batches"); do sizes+=($(($1 * factor))); done
  one_of max_tokens "${sizes[@]}"
  batches=$((batches * $1 / max_tokens))
}

# count_devices BATCHES [MACHINES]: `count` from --gpus and --processes: how many train together, with BATCHES of all
# of them in an update. Sets `gpus`, too, if it is not given, and `by_default` if that is the CPU. A dry run may have
# more than there are.
count_devices() {
  local machines=${2:-1} here=0
  by_default=''
  [[ ${gpus:-} == 0 ]] || here=$(count_gpus)
  [[ -n ${gpus:-} || $here -gt 0 ]] || by_default=cpu
  if [[ -z ${gpus:-} ]]; then
    gpus=$((here * machines < $1 ? here * machines : $1))
    while ((gpus > machines && $1 % gpus)); do ((gpus -= machines)); done
  fi
  count=$((gpus ? gpus : ${processes:?}))
  ((gpus == 0 || processes == 1)) || die "--processes is for training without GPUs: leave it out, or add --gpus 0"
  (($1 % count == 0)) || die "$count $( ((gpus)) && echo GPUs || echo processes) do not divide the" \
    "$1 batches of an update; choose one of $(divisors "$1")"
  ((count % machines == 0)) || die "$count GPUs or processes are not as many on each of $machines machines"
  [[ -n ${dry_run:-} ]] || ((gpus / machines <= here)) ||
    die "--gpus $gpus: this machine has $here, and should give $((gpus / machines))"
}

# use_devices GPUS PROCESSES [MACHINES MACHINE HEAD]: what `train` runs on: GPUS of all machines together, in half
# precision, or PROCESSES on CPUs. With several, torchrun starts them. MACHINE is this one's number, from 0 on;
# HEAD the address of number 0, with a port.
use_devices() {
  local gpus=$1 machines=${3:-1} machine=${4:-0} head=${5:-} count each
  count=$((gpus ? gpus : $2)) each=$((count / machines))  # processes of all machines, and of each
  if ((gpus)); then
    device=(--fp16)
  else
    device=(--cpu)
    # glibc gives the memory of each large tensor back to the system, and asks for it again, page by page: the
    # Multi30k lookup trains 1.15 times as fast where it does not.
    export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-4294967296}
    export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-17179869184}
  fi
  if ((count == 1)); then
    launch=(python "$lib/fairseq_train.py")
    device+=(--distributed-world-size 1)
    return
  fi
  # legacy_ddp: all gradients at once, after the last of --update-freq batches; it is also what gloo takes.
  # Each process reads the checkpoint: one that is sent to the others by fairseq is refused by torch.load.
  device+=(--ddp-backend legacy_ddp --load-checkpoint-on-all-dp-ranks)
  ((gpus)) || device+=(--distributed-backend gloo)
  launch=(torchrun --nproc-per-node "$each")
  if ((machines > 1)); then
    launch+=(--nnodes "$machines" --node-rank "$machine" --master-addr "${head%:*}" --master-port "${head##*:}")
  else
    launch+=(--standalone)
  fi
  launch+=(--no-python "$lib/worker.sh")
  ((gpus)) || export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((($(nproc) + each - 1) / each))}
}

# What all trainings have. Sentences longer than the model allows are left out with a warning; fairseq's default is an
# error in validation.
common=(--no-last-checkpoints --skip-invalid-size-inputs-valid-test --log-format simple --log-interval 50)

# limit_training MINUTES: in `limit`; none if it is empty.
# shellcheck disable=SC2034  # for the recipe
limit_training() {
  limit=()
  [[ -z $1 ]] || limit=(--stop-time-hours "$(awk "BEGIN { print $1 / 60 }")")
}

# settings_of ARGUMENT...: what the training is told, a setting a line.
settings_of() {
  local told=" $*"
  sed 1d <<< "${told// --/$'\n'--}"
}

# same_training RUN SETTINGS: same_settings for a training that has begun, but for what ends it: one that has been stopped
# goes on to other limits, and of one that has ended it is said how.
same_training() {
  [[ -e $1/trained || -n $(epoch_checkpoints "$1") ]] || return 0
  same_settings "$1/settings" "$2" "" '^--(max-epoch|max-update|patience)[ =]'
  [[ ! -e $1/trained ]] || same_settings "$1/settings" "$2" "remove $1/trained to go on with these, or choose another --work"
}

# show_training ARGUMENT...: the command of the training, to be pasted, BIN for the data.
show_training() {
  echo "${launch[*]@Q} BIN --user-dir \"\$(alone user-dir)\" ${*@Q} ${device[*]@Q} ${common[*]@Q}"
}

# train BIN RUN ARGUMENT...: fairseq-train on what `use_devices` has chosen, or else on one GPU, or without one. It
# goes on from the newest epoch: checkpoint_last.pt is a copy, which a kill can cut short. RUN/train.log grows.
train() {
  local bin=$1 run=$2 told=${log:-$2/train.log} user_dir newest
  [[ -z ${by_default:-} || ${size:?} == small ]] ||
    die "no GPU is found, and --size $size takes months without; --gpus 0 trains on the CPU all the same"
  user_dir=$(alone user-dir)
  newest=$(epoch_checkpoints "$run" | tail -n 1)
  # Where nothing is left of a training to go on from, its own log is put aside: curves are of one training.
  if [[ -z $newest && ${told%/*} == "$run" && -e $told ]]; then
    cat "$told" >> "$told.before"
    rm "$told"
  fi
  [[ -n ${launch:-} ]] || use_devices $(($(count_gpus) > 0)) 1
  "${launch[@]}" "$bin" --user-dir "$user_dir" "${@:3}" "${device[@]}" "${common[@]}" \
    --save-dir "$run/checkpoints" ${newest:+--restore-file "$newest"} 2>&1 | tee -a "$told"
}

# end_training RUN [EPOCHS]: it has ended, and there is something to average, beyond the first EPOCHS.
end_training() {
  (($(last_epoch "$1") > ${2:-0})) || die "$1: the training ended within epoch $((${2:-0} + 1)); give it more time"
  touch "$1/trained"
}

# check_training RUN ARGUMENT...: what stands behind -- is known to fairseq-train, and is for the user to choose: not what
# a run's name says, nor what averaging and going on rest on; nor bfloat16, which fairseq-train takes for a wish to train
# on a TPU. Of a run that has been trained same_settings takes no other arguments.
check_training() {
  not_ours --update-freq --save-dir --restore-file --no-epoch-checkpoints --cpu --distributed-world-size --ddp-backend \
    --distributed-backend --distributed-rank --distributed-port --distributed-init-method --device-id --user-dir \
    --log-format --log-interval --tensorboard-logdir --stop-time-hours --bf16 --memory-efficient-bf16 --tpu --fp16 \
    --task --source-lang --target-lang --train-subset --valid-subset --seed --embedding --alone-filter \
    --no-save --save-interval --save-interval-updates --no-save-optimizer-state --finetune-from-model \
    --reset-optimizer --reset-lr-scheduler --reset-dataloader --reset-meters
  [[ -e $1/trained ]] || known_to_fairseq BIN "${@:2}"
}

# average_newest RUN COUNT OUTPUT: of the newest epochs that are kept, COUNT at most, and no more than the later half of
# all: the first ones of a short training are far from its end.
average_newest() {
  local kept last
  mapfile -t kept < <(epoch_checkpoints "$1")
  ((${#kept[@]})) || die "$1/checkpoints: no checkpoint of an epoch is there"
  last=$(printf '%s\n' "$2" "${#kept[@]}" $((($(last_epoch "$1") + 1) / 2)) | sort -n | head -n 1)
  alone average --inputs "$1/checkpoints" --last "$last" --output "$3"
}
