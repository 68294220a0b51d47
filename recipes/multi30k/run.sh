#!/usr/bin/env bash
# English to German on Multi30k, from raw text to a sacreBLEU score.
#
#   recipes/multi30k/run.sh --data DIR [option ...] [-- options of fairseq-train]
#
# DIR holds raw text, one sentence a line: train.en, train.de, val.en, val.de, test_2016_flickr.en and
# test_2016_flickr.de. What is done is not done again: the same command goes on where it was stopped.
#
#   --data DIR          the raw text
#   --system NAME       lookup, factorized, ALONE with real or binary filters, or fast: ALONE with real filters and
#                       the settings for short budgets that README.md names (real)
#   --size N            D_inter of ALONE (1024); r of factorized, D_inter of fast (as many parameters as ALONE
#                       with 1024)
#   --seed N            seed of the training (1)
#   --work DIR          for all that is made; systems share the prepared text (work/multi30k)
#   --bpe NAME          subword_nmt, after the tokenizer of Moses, or sentencepiece (subword_nmt)
#   --bpe-size N        merges of subword_nmt, pieces of sentencepiece, for both languages (8000)
#   --max-minutes N     limit of stage 3, which else ends after 10 epochs or 5 validations without a gain (45)
#   --cool-down N       epochs of stage 4, in which the learning rate goes from where it was down to 0 (6)
#   --stage N           first stage: 1 text, 2 binarise, 3 train, 4 cool down, 5 average, 6 translate, 7 score (1)
#   --stop-stage N      last stage (7)
#
# Example: recipes/multi30k/run.sh --data multi30k --system lookup --seed 2

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

data=
system=real
size=
seed=1
work=work/multi30k
bpe=subword_nmt
bpe_size=8000
max_minutes=45
cool_down=6
stage=1
stop_stage=7

# The same for all systems.
dim=256
task=(--task translation --source-lang en --target-lang de --arch transformer_alone)
model=(--encoder-embed-dim "$dim" --encoder-ffn-embed-dim 512 --encoder-layers 3 --encoder-attention-heads 4
  --decoder-embed-dim "$dim" --decoder-ffn-embed-dim 512 --decoder-layers 3 --decoder-attention-heads 4
  --dropout 0.1)
optimizer=adam
optimisation=(--criterion label_smoothed_cross_entropy --label-smoothing 0.1
  --adam-betas '(0.9, 0.98)' --clip-norm 0.0
  --lr 2e-3 --lr-scheduler inverse_sqrt --warmup-updates 1000
  --max-tokens 2048 --max-epoch 10 --patience 5 --keep-last-epochs 5
  --required-batch-size-multiple 1)  # at its default, 8, fairseq leaves the last few sentences out
average=3  # newest checkpoints, one an epoch; as many as --patience are kept, which counts them when it is resumed
beam=5

# Of ALONE: D_inter; dropout after the ReLU, until so many updates.
inter_dim=1024
relu_dropout=0.1
stop_relu_dropout=300

# Of fast: words with rows of their own.
own_rows=300

sets=(train val test_2016_flickr)

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "data system size seed work bpe bpe_size max_minutes cool_down stage stop_stage" "$@"
one_of system lookup factorized real binary fast
one_of bpe subword_nmt sentencepiece
stages_up_to 7
numbers seed bpe_size max_minutes cool_down ${size:+size}
[[ -z $size || $system != lookup ]] || die "--size is not for a lookup, which has $dim elements a word"
[[ -n $data ]] || die "--data DIR is missing; see $0 --help"
. "$recipes/lib/stages.sh"
. "$recipes/lib/text.sh"
. "$recipes/lib/training.sh"

[[ $system != fast ]] || optimizer=adam_muon
run=$work/$system${size:+-$size}-seed$seed
check_training "$run" "${task[@]}" "${model[@]}" --optimizer "$optimizer" "${optimisation[@]}" "${rest[@]}"

text_settings="bpe $bpe"$'\n'"bpe_size $bpe_size"
for set in "${sets[@]}"; do
  for lang in en de; do
    [[ -r $data/$set.$lang ]] || die "$data/$set.$lang: not there; --data must hold {${sets[*]}}.{en,de}"
    text_settings+=$'\n'"$set.$lang $(cksum < "$data/$set.$lang")"
  done
done

make_folder "$work"
lock "$work"
text=$work/text
bin=$work/bin
same_settings "$text/settings" "$text_settings"
same_settings "$bin/settings" "$text_settings"

if run_stage 1 "check the text, learn and apply BPE" "$text"; then
  scratch "$text"
  prepare_text "$data" "$text.tmp" "$bpe" "$bpe_size" en de "${sets[@]}"
  echo "$text_settings" > "$text.tmp/settings"
  publish "$text"
fi

if run_stage 2 "binarise" "$bin"; then
  need 1 "$text"
  scratch "$bin"
  binarise "$text" "$bin.tmp" en de "${sets[@]}"
  cp "$text/settings" "$bin.tmp"
  publish "$bin"
fi
unlock
((stop_stage > 2)) || exit 0

need 2 "$bin"
case $system in
  lookup)
    embedding=(--embedding lookup)
    ;;
  factorized)  # has r (words + dim) parameters, ALONE dim + inter_dim (dim + dim)
    rows=$(($(words "$bin" en) + dim))
    embedding=(--embedding factorized
      --factorized-dim "${size:-$(((dim + 2 * dim * inter_dim + rows / 2) / rows))}")
    ;;
  real | binary)
    embedding=(--embedding alone --alone-filter "$system" --alone-inter-dim "${size:-$inter_dim}"
      --alone-relu-dropout "$relu_dropout" --alone-stop-relu-dropout "$stop_relu_dropout")
    ;;
  fast)  # has dim + inter_dim (dim + dim) + dim for the bias + own_rows dim
    embedding=(--embedding alone --alone-inter-dim "${size:-$((inter_dim - (own_rows + 2) / 2))}"
      --alone-relu-dropout 0 --alone-center --alone-own-rows "$own_rows" --fp16-no-flatten-grads)
    ;;
esac
settings=("${embedding[@]}" "${model[@]}" --optimizer "$optimizer" "${optimisation[@]}" --seed "$seed" "${rest[@]}")
run_settings=$text_settings$'\n'"beam $beam"$'\n'$(settings_of "${settings[@]}")

make_folder "$run"
lock "$run"
same_training "$run" "$run_settings"

if run_stage 3 "train, $run/train.log" "$run/trained"; then
  keep_settings "$run/settings" "$run_settings"
  limit_training "$max_minutes"
  rm -rf "$run/cooled" "$run/averaged.pt"  # of a training that is taken up again
  train "$bin" "$run" "${task[@]}" "${settings[@]}" "${limit[@]}"
  end_training "$run"
fi

if [[ -n $(epoch_checkpoints "$run/cooled") ]]; then
  same_settings "$run/cooled/settings" "cool_down $cool_down"
fi
if run_stage 4 "cool down, $run/train.log" "$run/cooled/done"; then
  need 3 "$run/trained"
  rm -f "$run/averaged.pt" "$run"/*.{de,bleu}  # of a folder `cooled` that was removed
  keep_settings "$run/cooled/settings" "cool_down $cool_down"
  trained=$(epoch_checkpoints "$run" | tail -n 1)
  cooling=$(python "$recipes/lib/cool_down.py" "$trained" "$cool_down")
  read -ra cooling <<< "$cooling"
  log=$run/train.log train "$bin" "$run/cooled" "${task[@]}" "${settings[@]}" --restore-file "$trained" "${cooling[@]}"
  touch "$run/cooled/done"
fi

averaged=$run/averaged.pt
if run_stage 5 "average" "$averaged"; then
  need 4 "$run/cooled/done"
  average_newest "$run/cooled" "$average" "$averaged"
fi

for set in "${sets[@]:1}"; do
  if run_stage 6 "translate $set" "$run/$set.de"; then
    need 5 "$averaged"
    alone translate --checkpoint "$averaged" --data "$bin" --beam "$beam" \
      < "$text/raw/$set.en" > "$run/$set.de.tmp"
    publish "$run/$set.de"
  fi
done

for set in "${sets[@]:1}"; do
  if run_stage 7 "score $set" "$run/$set.bleu"; then
    need 6 "$run/$set.de"
    sacrebleu "$text/raw/$set.de" --input "$run/$set.de" --metrics bleu --width 2 --format text \
      > "$run/$set.bleu.tmp"
    publish "$run/$set.bleu"
    cat "$run/$set.bleu"
  fi
done
