#!/usr/bin/env bash
# Two Transformers on a generated English-German corpus, one with conventional embeddings and one with ALONE:
# trained, averaged, translated, scored, and set side by side.
#
#   recipes/quickstart/run.sh [options] [-- options of fairseq-train]
#
#   --work DIR          where all that is made goes (work/quickstart)
#   --seed N            seed of the training (1)
#   --stage N           first stage to run (1): 1 corpus, 2 binarise, 3 train, 4 average, 5 translate, 6 table
#   --stop-stage N      last stage to run (6)
#
# Example: recipes/quickstart/run.sh --work elsewhere

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

work=work/quickstart
seed=1
stage=1
stop_stage=6

systems=(lookup alone)
# The same for both but for the embedding.
dim=128
model=(--encoder-embed-dim "$dim" --encoder-ffn-embed-dim 256 --encoder-layers 2 --encoder-attention-heads 4
  --decoder-embed-dim "$dim" --decoder-ffn-embed-dim 256 --decoder-layers 2 --decoder-attention-heads 4
  --dropout 0.1)
optimisation=(--criterion label_smoothed_cross_entropy --label-smoothing 0.1
  --optimizer adam --adam-betas '(0.9, 0.98)' --clip-norm 0.0
  --lr 3e-3 --lr-scheduler polynomial_decay --warmup-updates 200 --total-num-update 1025
  --max-tokens 1024 --max-epoch 3
  --required-batch-size-multiple 1)  # at its default, 8, fairseq leaves the last few sentences out
declare -A embeddings=(
  [lookup]="--embedding lookup"
  [alone]="--embedding alone --alone-inter-dim 512 --alone-relu-dropout 0"
)
average=1  # newest checkpoint: the last learning rate is close to nothing
beam=4

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "work seed stage stop_stage" "$@"
stages_up_to 6
numbers seed
. "$recipes/lib/stages.sh"
. "$recipes/lib/training.sh"

make_folder "$work"
lock "$work"
settings=$(printf '%s\n' "seed $seed" "${model[*]}" "${optimisation[*]}" "${embeddings[@]}" "${rest[*]}")
same_settings "$work/settings" "$settings"
text=$work/text
if run_stage 1 "generate a corpus" "$text"; then
  scratch "$text"
  python "$recipes/quickstart/corpus.py" --output "$text.tmp/raw"
  echo '{"version": 1, "source_lang": "en", "target_lang": "de", "tokenizer": "moses"}' > "$text.tmp/tokenizer.json"
  for file in "$text.tmp"/raw/*; do
    name=${file##*/}
    python -m alone_fairseq.text apply --config "$text.tmp/tokenizer.json" --lang "${name#*.}" \
      < "$file" > "$text.tmp/$name"
  done
  publish "$text"
fi

bin=$work/bin
if run_stage 2 "binarise" "$bin"; then
  need 1 "$text"
  scratch "$bin"
  fairseq-preprocess --source-lang en --target-lang de --joined-dictionary --destdir "$bin.tmp" \
    --trainpref "$text/train" --validpref "$text/valid" --testpref "$text/test" 2> "$bin.tmp/log"
  cp "$text/tokenizer.json" "$bin.tmp"
  publish "$bin"
fi

train_system() {  # SYSTEM
  local embedding
  read -ra embedding <<< "${embeddings[$1]}"
  # A thread each, for both are trained at the same time.
  OMP_NUM_THREADS=1 train "$bin" "$work/$1" --task translation --source-lang en --target-lang de \
    --arch transformer_alone "${embedding[@]}" "${model[@]}" "${optimisation[@]}" --seed "$seed" \
    --keep-last-epochs "$average" "${rest[@]}" > /dev/null
}

# The newest line of each training's log, now and then, while the trainings run.
report() {
  local system newest
  while sleep 15; do
    for system in "${systems[@]}"; do
      newest=$(grep -o 'epoch [0-9]*:.* ppl=[0-9.]*' "$work/$system/train.log" 2> /dev/null | tail -n 1 || true)
      printf '  %-7s %s\n' "$system" "$newest"
    done
  done
}

if run_stage 3 "train ${systems[*]}: $work/*/train.log" "$work/trained"; then
  need 2 "$bin"
  echo "$settings" > "$work/settings"
  set -m  # a process group for each job, so that Ctrl-C or a failure of one ends all
  jobs=()
  trap 'kill -- "${jobs[@]/#/-}" 2> /dev/null || true' EXIT
  trap 'exit 130' INT TERM
  for system in "${systems[@]}"; do
    make_folder "$work/$system"
    train_system "$system" &
    jobs+=($!)
  done
  report &
  jobs+=($!)
  for _ in "${systems[@]}"; do
    wait -n || die "a training failed; see the end of $work/*/train.log"
  done
  kill -- "-${jobs[-1]}"
  trap - EXIT INT TERM
  set +m
  touch "$work/trained"
fi

for system in "${systems[@]}"; do
  run=$work/$system
  if run_stage 4 "average $system" "$run/averaged.pt"; then
    need 3 "$work/trained"
    average_newest "$run" "$average" "$run/averaged.pt"
  fi
  if run_stage 5 "translate with $system" "$run/test.de"; then
    need 4 "$run/averaged.pt"
    alone translate --checkpoint "$run/averaged.pt" --data "$bin" --beam "$beam" \
      < "$text/raw/test.en" > "$run/test.de.tmp"
    publish "$run/test.de"
  fi
done

if in_stage 6; then
  for system in "${systems[@]}"; do
    need 5 "$work/$system/test.de"
  done
  echo
  python "$recipes/quickstart/table.py" "$work" "${systems[@]}"
  alone plot "$work/lookup/train.log" "$work/alone/train.log" --labels lookup alone --metric ppl \
    --output "$work/curves.png" --force
  echo "validation curves: $work/curves.png"
fi
