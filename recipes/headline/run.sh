#!/usr/bin/env bash
# Headlines of a wanted length: a row of the paper's Table 3, from raw text to ROUGE.
#
#   recipes/headline/run.sh --gigaword DIR | --pairs DIR [option ...] [-- options of fairseq-train]
#
# What is done is not done again: the same command goes on where it was stopped.
#
#   --gigaword DIR      annotated English Gigaword (LDC2012T21), as LDC ships it or in a folder for each agency
#   --pairs DIR         in its place train.tsv, valid.tsv and test.tsv: a text, a tab and its headline in each line
#   --duc DIR           DUC 2003 and 2004, the archives of NIST, unpacked or not, to score on (none)
#   --exceptions DIR    WordNet's noun.exc, verb.exc, ... for ROUGE (none: stems without irregular forms)
#   --config NAME       a row of Table 3: a file in conf/ without .conf (real_512)
#   --control NAME      what tells the decoder the length: lrpe_pe, lrpe, ldpe_pe, ldpe, or none, plain PE (lrpe_pe)
#   --work DIR          for all that is made; rows share the prepared text (work/headline)
#   --size NAME         base, the paper's, or small, for a few ten thousand pairs (base)
#   --keep-digits       of Gigaword: do not write # for digits
#   --no-unk            of Gigaword: keep words seen fewer than five times
#   --words N           cut texts to so many words (all; small: 40)
#   --bpe-size N        merges of BPE for the texts (16000; small: 4000)
#   --lead-epochs N     of the training, the first ones: on the beginnings of the texts, so that it learns to read
#                       (0; small: 1)
#   --lengths "N ..."   wanted lengths, in characters (30 50 75)
#   --workers N         processes that prepare the text (all cores)
#   --gpus N            of this machine; 0: CPU (all)
#   --processes N       without GPUs: processes that train together (1)
#   --max-tokens N      of a batch, on one GPU or process; with twice as many an update has half as many batches, for
#                       each of which ALONE's matrix is computed once (3584; small: 512)
#   --seed N            seed of the training (1)
#   --variant NAME      a name for what stands behind --, part of the run's folder
#   --max-minutes N     limit of the training (none; small: 60)
#   --stage N           first stage: 1 pairs, 2 BPE, 3 binarise, 4 DUC, 5 train, 6 average, 7 headlines, 8 score (1)
#   --stop-stage N      last stage (8)
#   --dry-run           print the command of the training, without the data, and stop
#
# Example: recipes/headline/run.sh --gigaword LDC2012T21 --duc DUC --config real_1024 --gpus 4

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

gigaword=
pairs=
duc=
exceptions=
config=real_512
control=lrpe_pe
work=work/headline
size=base
keep_digits=
no_unk=
words=
bpe_size=
lead_epochs=
lengths="30 50 75"
workers=$(nproc)
gpus=
processes=1
max_tokens=
seed=1
variant=
max_minutes=
stage=1
stop_stage=8
dry_run=

# The paper's settings (Section 3.3, and those of Takase and Okazaki, 2019, which it follows).
usual=3584 batches=64  # tokens of a batch; batches of an update, over all GPUs
base=(--arch transformer_alone_gigaword
  --max-tokens "$usual" --lr 0.001 --warmup-updates 4000 --dropout 0.3 --max-epoch 100)
optimisation=(--criterion label_smoothed_cross_entropy --label-smoothing 0.1
  --optimizer adam --adam-betas '(0.9, 0.98)' --clip-norm 1.0 --weight-decay 0.0
  --lr-scheduler inverse_sqrt --warmup-init-lr 1e-07
  --required-batch-size-multiple 1   # at its default, 8, fairseq leaves the last few pairs out
  --update-epoch-batch-itr True)     # batches drawn anew for each epoch: those that a resumed training gets, too
relu_dropout=0.1 stop_relu_dropout=300
average=10     # newest checkpoints, one an epoch
beam=5         # of one headline
nbest=20       # candidates, and their beam, of a re-ranked one
valid_size=8000 test_size=2000  # of Gigaword

# The same recipe in miniature.
small() {
  usual=512 batches=2
  # Layers are normalised before: after them, the encoder soon gives the same vector for each word (RESULTS.md).
  base=(--arch transformer_alone_gigaword --encoder-normalize-before --decoder-normalize-before
    --encoder-embed-dim 256 --encoder-ffn-embed-dim 512 --encoder-layers 3 --encoder-attention-heads 4
    --decoder-embed-dim 256 --decoder-ffn-embed-dim 512 --decoder-layers 3 --decoder-attention-heads 4
    --max-tokens "$usual" --lr 0.001 --warmup-updates 500 --dropout 0.1 --patience 5)
  : "${words:=40}" "${bpe_size:=4000}" "${lead_epochs:=1}" "${max_minutes:=60}"
}

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$recipes/headline
. "$recipes/lib/options.sh"
parse_options "gigaword pairs duc exceptions config control work size keep_digits! no_unk! words bpe_size lead_epochs
  lengths workers gpus processes max_tokens seed variant max_minutes stage stop_stage dry_run!" "$@"
one_of size base small
one_of control lrpe_pe lrpe ldpe_pe ldpe none
stages_up_to 8
[[ $size == base ]] || small
bpe_size=${bpe_size:-16000} lead_epochs=${lead_epochs:-0}
numbers seed bpe_size lead_epochs! workers processes ${words:+words} ${max_minutes:+max_minutes} ${gpus:+gpus!}
number_lists lengths
part_of_name variant
[[ -n $dry_run || -n $gigaword$pairs ]] || die "--gigaword DIR or --pairs DIR is missing; see $0 --help"
[[ -z $gigaword || -z $pairs ]] || die "--gigaword or --pairs, not both"
[[ -n $gigaword || -z $keep_digits$no_unk ]] || die "--keep-digits and --no-unk are for --gigaword"
. "$recipes/lib/stages.sh"
. "$recipes/lib/text.sh"
. "$recipes/lib/training.sh"
. "$recipes/headline/row.sh"
larger_batches "$usual"

if [[ -n $dry_run ]] || ((5 <= stop_stage)); then
  choose_devices
  row_arguments "$config" "$control"
  settings=("${row[@]}" "${base[@]}" "${optimisation[@]}" --keep-last-epochs "$average" --seed "$seed" "${rest[@]}")
  run=$work/$config-$control${variant:+-$variant}-seed$seed
  limit_training "$max_minutes"
  not_ours --length-control --length-control-pe --no-length-control-pe
  check_training "$run" "${settings[@]}"
  epochs=$(grep -o -- ' --max-epoch[ =][0-9]*' <<< " ${settings[*]}" | tail -n 1 | grep -o '[0-9]*$') || epochs=
  [[ -z $epochs ]] || ((lead_epochs < epochs)) ||
    die "--lead-epochs $lead_epochs leaves no epoch of headlines: there are $epochs in all, by --max-epoch"
  lead_settings=("${settings[@]}" --max-epoch "$lead_epochs" --patience -1)
fi
if [[ -n $dry_run ]]; then
  going_on=()
  if ((lead_epochs)); then
    echo "# BIN: $work/lead, the beginnings of the texts"
    show_training "${lead_settings[@]}" "${limit[@]}"
    echo "# BIN: $work/bin"
    printf 'LEAD_EPOCHS=%s ' "$lead_epochs"
    going_on=(--restore-file "checkpoints/checkpoint$lead_epochs.pt")
  fi
  show_training "${settings[@]}" "${limit[@]}" "${going_on[@]}"
  exit
fi
[[ -z $duc || -d $duc ]] ||
  die "--duc $duc: no such folder; it must hold NIST's archives of DUC 2003 and 2004, or what is in them"
irregular=() irregular_sum=none
if [[ -n $exceptions ]]; then
  mapfile -t found < <(find -L "$exceptions" -maxdepth 1 -name '*.exc' | sort)
  ((${#found[@]})) || die "--exceptions $exceptions: no *.exc in it; WordNet has noun.exc, verb.exc, adj.exc, adv.exc"
  irregular=(--exceptions "${found[@]}") irregular_sum=$(cat "${found[@]}" | cksum)
fi

make_folder "$work"
lock "$work"
source=$work/pairs text=$work/text bin=$work/bin lead=$work/lead
if [[ -n $pairs ]]; then
  source=$pairs
  pair_settings=
  for set in train valid test; do
    [[ -r $pairs/$set.tsv ]] || die "$pairs/$set.tsv: not there; --pairs must hold train.tsv, valid.tsv and test.tsv"
    pair_settings+="$set $(cksum < "$pairs/$set.tsv")"$'\n'
  done
  pair_settings=${pair_settings%$'\n'}
else
  [[ -d $gigaword ]] || die "--gigaword $gigaword: no such folder"
  pair_settings="gigaword $(names_and_sizes "$gigaword")"$'\n'"keep_digits $keep_digits"$'\n'"no_unk $no_unk"
  pair_settings+=$'\n'"valid_size $valid_size"$'\n'"test_size $test_size"
  same_settings "$source/settings" "$pair_settings"
fi
text_settings=$pair_settings$'\n'"words $words"$'\n'"bpe_size $bpe_size"
same_settings "$text/settings" "$text_settings"
same_settings "$bin/settings" "$text_settings"
((lead_epochs == 0)) || same_settings "$lead/settings" "$text_settings"

if [[ -n $gigaword ]] && run_stage 1 "pairs of Gigaword" "$source"; then
  make_folder "$work/gigaword"
  python "$here/gigaword.py" --gigaword "$gigaword" --output "$work/gigaword" --workers "$workers" || exit
  scratch "$source"
  python "$here/namas.py" --pairs "$work/gigaword" --output "$source.tmp" --valid-size "$valid_size" \
    --test-size "$test_size" ${keep_digits:+--keep-digits} ${no_unk:+--no-unk} || exit
  echo "$pair_settings" > "$source.tmp/settings"
  publish "$source"
fi

if run_stage 2 "check the pairs, learn and apply BPE" "$text"; then
  need 1 "$source"
  scratch "$text"
  mkdir "$text.tmp/raw" "$text.tmp/words"
  python "$here/pairs.py" "$source" "$text.tmp/raw" "$words" || exit
  tokenizer=moses
  [[ -z $gigaword ]] || tokenizer=none  # its words are tokens already
  cat > "$text.tmp/tokenizer.json" << JSON
{"version": 1, "source_lang": "en", "target_lang": "headline", "tokenizer": "$tokenizer", "lowercase": true,
 "bpe": "subword_nmt", "codes": "codes", "target_bpe": "characters"}
JSON
  text_to tokenize "$text.tmp/tokenizer.json" "$text.tmp/words" "$text.tmp/raw/train.en"
  learn_bpe subword_nmt "$bpe_size" "$text.tmp/codes" "$text.tmp/words/train.en"
  text_to apply "$text.tmp/tokenizer.json" "$text.tmp" "$text.tmp"/raw/*
  rm -r "$text.tmp/words"
  echo "$text_settings" > "$text.tmp/settings"
  publish "$text"
fi

if run_stage 3 "binarise" "$bin"; then
  need 2 "$text"
  scratch "$bin"
  binarise "$text" "$bin.tmp" en headline train valid test
  cp "$text/settings" "$bin.tmp"
  publish "$bin"
  echo "V = $(words "$bin" en)"
fi

if ((lead_epochs)) && run_stage 3 "binarise the beginnings of the texts" "$lead"; then
  need 2 "$text"
  need 3 "$bin"
  scratch "$lead"
  mkdir "$lead.tmp/raw" "$lead.tmp/text"
  python "$here/leads.py" "$text/raw/train.en" "$text/raw/train.headline" > "$lead.tmp/raw/train.headline" || exit
  cp "$text"/{tokenizer.json,codes,{train,valid,test}.en,{valid,test}.headline} "$lead.tmp/text"
  text_to apply "$text/tokenizer.json" "$lead.tmp/text" "$lead.tmp/raw/train.headline"
  binarise "$lead.tmp/text" "$lead.tmp" en headline train valid test --srcdict "$bin/dict.en.txt"
  rm -r "$lead.tmp"/{raw,text}
  cp "$text/settings" "$lead.tmp"
  publish "$lead"
fi

sets=(test)
if [[ -n $duc ]]; then
  sets+=(duc2003 duc2004)
  duc_settings="duc $(names_and_sizes "$duc")"$'\n'"words $words"$'\n'$pair_settings
  same_settings "$work/duc/settings" "$duc_settings"
  if run_stage 4 "texts and references of DUC" "$work/duc"; then
    need 1 "$source"
    scratch "$work/duc"
    prepare_duc "$work/duc.tmp"
    rm -f "$work"/*-seed*/duc200*  # headlines and scores of other texts
    echo "$duc_settings" > "$work/duc.tmp/settings"
    publish "$work/duc"
  fi
fi
unlock
((stop_stage > 4)) || exit 0

need 3 "$bin"
[[ -z $duc ]] || need 4 "$work/duc"
make_folder "$run"
lock "$run"
run_settings=$text_settings$'\n'"beam $beam"$'\n'"nbest $nbest"$'\n'$(settings_of "${settings[@]}")
((lead_epochs == 0)) || run_settings+=$'\n'"lead_epochs $lead_epochs"
same_training "$run" "$run_settings"

if run_stage 5 "train, $run/train.log" "$run/trained"; then
  keep_settings "$run/settings" "$run_settings"
  rm -f "$run/averaged.pt"  # of a training that is taken up again
  if (($(last_epoch "$run") < lead_epochs)); then
    need 3 "$lead"
    train "$lead" "$run" "${lead_settings[@]}" "${limit[@]}"
    (($(last_epoch "$run") >= lead_epochs)) ||
      die "$run: the training ended before its first epoch of headlines; give it more time"
  fi
  LEAD_EPOCHS=$lead_epochs train "$bin" "$run" "${settings[@]}" "${limit[@]}"
  end_training "$run" "$lead_epochs"
fi

averaged=$run/averaged.pt
if run_stage 6 "average" "$averaged"; then
  need 5 "$run/trained"
  rm -f "$run"/{test,duc2003,duc2004}-*  # of an older model
  read_epochs=$(($(last_epoch "$run") - lead_epochs))
  average_newest "$run" $((average < read_epochs ? average : read_epochs)) "$averaged"
fi

outputs=$lengths
[[ $control != none ]] || outputs=free  # nothing can be wanted of such a model
for set in "${sets[@]}"; do
  for length in $outputs; do
    name=$run/$set-$length
    if run_stage 7 "headlines of $set, $length characters" "$name.reranked"; then
      need 6 "$averaged"
      write_headlines "$set" "$length" "$name"
    fi
    scoring="lengths ${length/free/$lengths}"$'\n'"exceptions $irregular_sum"
    [[ ! -e $name.scored || $stop_stage -lt 8 || $(< "$name.scored") == "$scoring" ]] || rm "$name.scored"
    if run_stage 8 "score $set, $length characters" "$name.scored"; then
      need 7 "$name.reranked"
      score_headlines "$set" "$length" "$name"
      keep_settings "$name.scored" "$scoring"
    fi
  done
done
