#!/usr/bin/env bash
# English to German on WMT: a row of the paper's Table 2, from raw text to a sacreBLEU score.
#
#   recipes/wmt_en_de/run.sh --config NAME [option ...] [-- options of fairseq-train]
#
# What is done is not done again: the same command goes on where it was stopped.
#
#   --config NAME       a row of Table 2: a file in conf/ without .conf (lookup)
#   --data-dir DIR      raw text, {train,newstest2013,newstest2014}.{en,de}, or the preprocessed WMT16 set of fairseq's
#                       scaling recipe; without it WMT16 is downloaded
#   --work DIR          for all that is made; rows share the prepared text (work/wmt_en_de)
#   --size NAME         base, the paper's, or small, for a few ten thousand sentences (base)
#   --bpe NAME          subword_nmt, after the tokenizer of Moses, or sentencepiece (subword_nmt)
#   --bpe-size N        merges of subword_nmt, pieces of sentencepiece, for both languages (32000 and 32767; small: 8000
#                       and 8191)
#   --workers N         processes that prepare the text (all cores)
#   --gpus N            GPUs that train together: 1, 2, 4, 8, ...; 0: the CPU (as many as there are)
#   --processes N       without GPUs: processes that train together (1)
#   --max-tokens N      of a batch, on one GPU or process; with twice as many an update has half as many batches, for
#                       each of which ALONE's matrix is computed once (3584; small: 512)
#   --seed N            seed of the training (1)
#   --dropout P         instead of the row's first
#   --variant NAME      a name for what stands behind --, part of the run's folder
#   --max-minutes N     limit of the training (none; small: 60)
#   --stage N           first stage: 1 data, 2 clean and tokenise, 3 BPE, 4 binarise, 5 train, 6 average,
#                       7 translate, 8 score (1)
#   --stop-stage N      last stage (8)
#   --dry-run           print the command of the training, without the data, and stop
#   --machines N, --machine I, --head HOST:PORT
#                       of a training on several machines; torchrun.sh and slurm.sh set them
#
# Example: recipes/wmt_en_de/run.sh --config real_8192 --gpus 4

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

config=lookup
data_dir=
work=work/wmt_en_de
size=base
bpe=subword_nmt
bpe_size=
workers=$(nproc)
gpus=
processes=1
max_tokens=
seed=1
dropout=
variant=
max_minutes=
stage=1
stop_stage=8
dry_run=
machines=1
machine=0
head=

# The paper's settings (Section 3.2, and fairseq's scaling recipe, which it follows).
usual=3584 batches=128  # tokens of a batch; batches of an update, over all GPUs
base=(--arch transformer_alone_wmt_en_de
  --max-tokens "$usual" --lr 0.0015 --warmup-updates 4000 --max-update 100000)
optimisation=(--criterion label_smoothed_cross_entropy --label-smoothing 0.1
  --optimizer adam --adam-betas '(0.9, 0.98)' --clip-norm 1.0 --weight-decay 0.0
  --lr-scheduler inverse_sqrt --warmup-init-lr 1e-07
  --update-epoch-batch-itr True)  # batches drawn anew for each epoch: those that a resumed training gets, too
declare -A relu_dropout=([real]=0.2 [binary]=0.15)
stop_relu_dropout=4500
merges=32000
words_kept=32768  # of the dictionary, <s> and the like included: V of Table 2
shrink=1          # what D_inter is divided by
average=10        # newest checkpoints, one an epoch
beam=4
lenpen=0.6

# The same recipe in miniature: embeddings as large, against a lookup, as in Table 2.
small() {
  usual=512 batches=2
  base=(--arch transformer_alone_wmt_en_de --encoder-normalize-before --decoder-normalize-before
    --encoder-embed-dim 256 --encoder-ffn-embed-dim 512 --encoder-layers 3 --encoder-attention-heads 4
    --decoder-embed-dim 256 --decoder-ffn-embed-dim 512 --decoder-layers 3 --decoder-attention-heads 4
    --max-tokens "$usual" --lr 0.002 --warmup-updates 1000 --patience 5
    --required-batch-size-multiple 1)  # at its default, 8, fairseq leaves the last few sentences out
  relu_dropout=([real]=0.1 [binary]=0.1)
  stop_relu_dropout=300
  words_kept=8192
  shrink=4
  merges=8000
  : "${max_minutes:=60}"
}

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "config data_dir work size bpe bpe_size workers gpus processes max_tokens seed dropout variant
  max_minutes stage stop_stage dry_run! machines machine head" "$@"
one_of size base small
one_of bpe subword_nmt sentencepiece
stages_up_to 8
[[ $size == base ]] || small
asked_size=$bpe_size
# sentencepiece counts <s>, </s> and <unk> among its pieces, and the dictionary has a <pad>.
[[ $bpe != sentencepiece ]] || bpe_size=${bpe_size:-$((words_kept - 1))}
bpe_size=${bpe_size:-$merges}
numbers seed bpe_size workers processes machines ${max_minutes:+max_minutes} ${gpus:+gpus!} machine!
[[ -z $dropout ]] || below_one dropout
while [[ $dropout == *.*0 ]]; do dropout=${dropout%0}; done  # 0.20 is 0.2
dropout=${dropout%.}
part_of_name variant
[[ $variant != dropout* ]] || die "--variant $variant would be the row with another dropout, for which --dropout is"
. "$recipes/lib/stages.sh"
. "$recipes/lib/text.sh"
. "$recipes/lib/training.sh"
. "$recipes/wmt_en_de/corpus.sh"
. "$recipes/wmt_en_de/clean.sh"
. "$recipes/wmt_en_de/row.sh"
larger_batches "$usual"

# What the training is told, and what it runs on.
row_arguments "$config"
run=$work/$config${variant:+-$variant}-seed$seed
settings=("${row[@]}" "${base[@]}" "${optimisation[@]}" --keep-last-epochs "$average" --seed "$seed" "${rest[@]}")
if [[ -z $dry_run ]] && ((machine)); then  # the others do no more than help in the training
  in_stage 5 || exit 0
  stage=5 stop_stage=5
fi
if [[ -n $dry_run ]] || ((5 <= stop_stage)); then
  choose_devices
fi
limit_training "$max_minutes"
not_ours --dropout
check_training "$run" "${settings[@]}"
if [[ -n $dry_run ]]; then
  show_training "${settings[@]}" "${limit[@]}"
  exit
fi

make_folder "$work"
((machine)) || lock "$work"
corpus=$work/corpus clean=$work/clean text=$work/text bin=$work/bin
if [[ -n $data_dir && -e $corpus/settings && $machine == 0 ]]; then
  scratch "$work/given"
  link_corpus "$data_dir" "$work/given.tmp"
  if [[ -L $corpus/train.en && ! -e $clean ]]; then
    rm -r "$corpus"  # links, that nothing has been made of: the text may have been mended
  else
    same_settings "$corpus/settings" "$(corpus_settings "$work/given.tmp")"
  fi
  rm -r "$work/given.tmp"
fi

if run_stage 1 "data" "$corpus"; then
  scratch "$corpus"
  if [[ -n $data_dir ]]; then
    link_corpus "$data_dir" "$corpus.tmp"
  else
    download_corpus "$work/download" "$corpus.tmp"
  fi
  corpus_settings "$corpus.tmp" > "$corpus.tmp/settings"
  publish "$corpus"
fi
need 1 "$corpus"
kind=$(< "$corpus/kind")
[[ $kind == raw || $bpe == subword_nmt ]] || die "--bpe $bpe is not for text that is split into pieces already"
[[ $kind == raw || -z $asked_size ]] || die "--bpe-size $bpe_size is not for text that is split into pieces already"

clean_settings=$(< "$corpus/settings")$'\n'"bpe $bpe"
[[ $kind == pieces ]] || clean_settings+=$'\n'"longest $longest"$'\n'"ratio $ratio"
text_settings=$clean_settings
[[ $kind == pieces ]] || text_settings+=$'\n'"bpe_size $bpe_size"
bin_settings=$text_settings$'\n'"words $words_kept"
((machine)) || for name in clean text bin; do
  name_settings=${name}_settings
  same_settings "$work/$name/settings" "${!name_settings}"
done

if run_stage 2 "clean and tokenise" "$clean"; then
  scratch "$clean"
  mkdir "$clean.tmp/raw" "$clean.tmp/words"
  "clean_$kind" "$corpus" "$clean.tmp" "$bpe"
  echo "$clean_settings" > "$clean.tmp/settings"
  publish "$clean"
  cat "$clean/counts.txt"
fi

if run_stage 3 "learn and apply BPE" "$text"; then
  need 2 "$clean"
  scratch "$text"
  cp "$clean/tokenizer.json" "$text.tmp"
  if [[ $kind == raw ]]; then
    segment_text "$clean/words" "$text.tmp" "$bpe" "$bpe_size" en de train
  else
    cp "$clean/codes" "$clean"/words/* "$text.tmp"
  fi
  echo "$text_settings" > "$text.tmp/settings"
  publish "$text"
fi

if run_stage 4 "binarise" "$bin"; then
  need 3 "$text"
  scratch "$bin"
  binarise "$text" "$bin.tmp" en de "${sets[@]}" --nwordssrc "$words_kept" --nwordstgt "$words_kept"
  check_known "$bin.tmp" "$kind"
  echo "$bin_settings" > "$bin.tmp/settings"
  publish "$bin"
  found=$(words "$bin" en)
  echo "V = $found"
  [[ $size == small || $found == "$words_kept" ]] || echo "not the $words_kept of Table 2: embeddings of another size"
fi
((machine)) || unlock
((stop_stage > 4)) || exit 0

need 4 "$bin"
make_folder "$run"
log=$run/train.log
if ((machine)); then
  log=$run/train-$machine.log
else
  lock "$run"
  run_settings=$bin_settings$'\n'"beam $beam"$'\n'"lenpen $lenpen"$'\n'$(settings_of "${settings[@]}")
  same_training "$run" "$run_settings"
fi

if run_stage 5 "train, $log" "$run/trained"; then
  ((machine)) || keep_settings "$run/settings" "$run_settings"
  ((machine)) || rm -f "$run/averaged.pt"  # of a training that is taken up again
  train "$bin" "$run" --tensorboard-logdir "$run/tensorboard" "${settings[@]}" "${limit[@]}"
  ((machine)) || end_training "$run"
fi

averaged=$run/averaged.pt
if run_stage 6 "average" "$averaged"; then
  need 5 "$run/trained"
  rm -f "$run"/newstest*.{de,bleu}  # of an older model
  average_newest "$run" "$average" "$averaged"
fi

for set in "${sets[@]:1}"; do
  if run_stage 7 "translate $set" "$run/$set.de"; then
    need 6 "$averaged"
    alone translate --checkpoint "$averaged" --data "$bin" --beam "$beam" --lenpen "$lenpen" \
      < "$clean/raw/$set.en" > "$run/$set.de.tmp"
    publish "$run/$set.de"
  fi
done

for set in "${sets[@]:1}"; do
  if run_stage 8 "score $set" "$run/$set.bleu"; then
    need 7 "$run/$set.de"
    references "$set" "$clean/raw"
    {
      sacrebleu "${reference[@]}" --input "$run/$set.de" --metrics bleu --width 2 --format text
      echo "references: $references"
    } > "$run/$set.bleu.tmp"
    publish "$run/$set.bleu"
    cat "$run/$set.bleu"
  fi
done
