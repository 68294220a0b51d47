#!/usr/bin/env bash
# A trained English-German model with its embedding matrix made smaller, tuned for a fifth of its training.
#
#   recipes/compress/run.sh [option ...] [-- options of fairseq-train]
#
# The model is the lookup of recipes/multi30k: it is taken from that recipe's work folder, or trained there first.
# What is done is not done again: the same command goes on where it was stopped.
#
#   --system NAME       what becomes of the matrix: ALONE, fitted (untuned), then tuned on the references
#                       (references) or on the original's distribution as well (distillation, which is the default);
#                       or the matrix rounded to a byte an element (int8)
#   --divide N          embedding parameters of the original by those of ALONE: 4 or 8 (4)
#   --own-rows N        of ALONE: words that keep rows of their own (300, or 150 for an eighth)
#   --seed N            seed of the original's training, and of the tuning (1)
#   --original DIR      work folder of recipes/multi30k (work/multi30k)
#   --data DIR          raw text for recipes/multi30k, if the original is still to be trained
#   --work DIR          for all that is made here (work/compress)
#   --fit-updates N     steps of ALONE's fit (1000)
#   --stage N           first stage: 1 original, 2 compress, 3 tune, 4 translate, 5 score (1)
#   --stop-stage N      last stage (5)
#
# Example: recipes/compress/run.sh --divide 8 --system references

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

system=distillation
divide=
own_rows=
seed=1
original=work/multi30k
data=
work=work/compress
fit_updates=
stage=1
stop_stage=5

share=5  # updates of the original's training by those of the tuning
# The rest of the settings is that of the original's training.
tuning=(--optimizer adam_muon --lr 1e-3 --lr-scheduler polynomial_decay --warmup-updates 50 --max-epoch 0 --patience -1
  --alone-relu-dropout 0 --alone-center --fp16-no-flatten-grads)
declare -A criteria=(
  [references]="--criterion label_smoothed_cross_entropy"
  # Without dropout: the teacher's distribution keeps from overfitting by itself.
  [distillation]="--criterion label_smoothed_distillation --distil-weight 0.9 --dropout 0"
)
beam=5
sets=(val test_2016_flickr)

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "system divide own_rows seed original data work fit_updates stage stop_stage" "$@"
one_of system untuned references distillation int8
[[ -z $divide ]] || one_of divide 4 8
stages_up_to 5
[[ $system != int8 || -z $divide$own_rows$fit_updates ]] ||
  die "--divide, --own-rows and --fit-updates are for ALONE, not for --system int8"
tunes=${criteria[$system]:-}
[[ -n $tunes || ${#rest[@]} == 0 ]] || die "--system $system trains nothing: no options behind --"
divide=${divide:-4} fit_updates=${fit_updates:-1000}
own_rows=${own_rows:-$((1200 / divide))}
numbers seed fit_updates own_rows
. "$recipes/lib/stages.sh"
. "$recipes/lib/text.sh"
. "$recipes/lib/training.sh"

lookup=$original/lookup-seed$seed
if run_stage 1 "train the original" "$lookup/averaged.pt"; then
  [[ -n $data ]] || die "$lookup: no trained lookup there; name recipes/multi30k's --work with --original, or --data"
  "$recipes/multi30k/run.sh" --data "$data" --system lookup --seed "$seed" --work "$original"
fi
((stop_stage > 1)) || exit 0

need 1 "$lookup/averaged.pt"
bin=$original/bin
raw=$original/text/raw
trained=()  # the options of the original's training, in order; of two alike fairseq takes the later one
while read -r option value; do
  case $option in
    --encoder-embed-dim) dim=$value ;&
    --*) trained+=("$option" ${value:+"$value"}) ;;
  esac
done < "$lookup/settings"
if [[ $system == int8 ]]; then
  compressed=$work/int8-seed$seed.pt run=$work/int8-seed$seed
else
  inter=$((($(words "$bin" en) * dim / divide - dim * (own_rows + 2)) / (2 * dim)))  # o and the bias are two rows
  ((inter > 0)) || die "--own-rows $own_rows leaves nothing to ALONE"
  compressed=$work/$divide-seed$seed.pt run=$work/$system-$divide-seed$seed
fi

make_folder "$work"
lock "$work"
settings="original $(cksum < "$lookup/averaged.pt")"
[[ $system == int8 ]] || settings+=$'\n'"fit_updates $fit_updates"$'\n'"own_rows $own_rows"
same_settings "${compressed%.pt}.settings" "$settings" "choose another --work, or remove ${compressed%.pt}.*"
[[ -e ${compressed%.pt}.settings ]] || echo "$settings" > "${compressed%.pt}.settings"
if run_stage 2 "compress, $compressed" "$compressed"; then
  if [[ $system == int8 ]]; then
    python "$recipes/compress/quantise.py" "$lookup/averaged.pt" "$compressed"
  else
    alone compress "$lookup/averaged.pt" --data "$bin" --inter-dim "$inter" --own-rows "$own_rows" \
      --updates "$fit_updates" --seed "$seed" --output "$compressed" | tee "$work/$divide-seed$seed.log"
  fi
fi
unlock
((stop_stage > 2)) || exit 0

need 2 "$compressed"
make_folder "$run"
lock "$run"
model=$run/averaged.pt
if [[ -n $tunes ]]; then
  updates=$(alone params "$lookup/averaged.pt" --json |
    python -c 'import json, sys; print(json.load(sys.stdin)["checkpoint"]["updates"])')
  updates=$(((updates + share - 1) / share))
  read -ra criterion <<< "$tunes"
  [[ $system != distillation ]] || criterion+=(--teacher-checkpoint "$lookup/averaged.pt")
  task=(--task translation --source-lang en --target-lang de --arch transformer_alone)
  options=("${trained[@]}" --embedding alone --alone-inter-dim "$inter" --alone-own-rows "$own_rows" --alone-seed "$seed"
    "${tuning[@]}" "${criterion[@]}" --max-update "$updates" --total-num-update "$updates" "${rest[@]}")
  check_training "$run" "${task[@]}" "${options[@]}"
  settings+=$'\n'$(settings_of "${options[@]}")
fi
if [[ -e $model || -n $(epoch_checkpoints "$run") ]]; then
  same_settings "$run/settings" "$settings"
fi
if run_stage 3 "tune, $run/train.log" "$model"; then
  rm -f "$run"/*.{de,bleu}  # of an older model
  keep_settings "$run/settings" "$settings"
  if [[ -z $tunes ]]; then
    cp "$compressed" "$model.tmp"
    publish "$model"
  else
    [[ -n $(epoch_checkpoints "$run") ]] || options+=(--finetune-from-model "$compressed")
    train "$bin" "$run" "${task[@]}" "${options[@]}" --save-interval-updates "$updates" --keep-last-epochs 1
    alone average --inputs "$run/checkpoints" --last 1 --output "$model"
  fi
fi

for set in "${sets[@]}"; do
  if run_stage 4 "translate $set" "$run/$set.de"; then
    need 3 "$model"
    alone translate --checkpoint "$model" --data "$bin" --beam "$beam" < "$raw/$set.en" > "$run/$set.de.tmp"
    publish "$run/$set.de"
  fi
done

for set in "${sets[@]}"; do
  if run_stage 5 "score $set" "$run/$set.bleu"; then
    need 4 "$run/$set.de"
    sacrebleu "$raw/$set.de" --input "$run/$set.de" --metrics bleu --width 2 --format text > "$run/$set.bleu.tmp"
    publish "$run/$set.bleu"
    cat "$run/$set.bleu"
  fi
done
