#!/usr/bin/env bash
# Word vectors from a corpus by word2vec, fastText and GloVe, and what they reach on word similarity and analogy.
#
#   recipes/reconstruction/teachers.sh --corpus PATH --pairs DIR [option ...] [-- options of alone teacher]
#
# What is done is not done again: the same command goes on where it was stopped, and with more models it adds
# theirs. To run it in the background, put nohup before it and > teachers.log 2>&1 & behind it.
#
#   --corpus PATH       text, a sentence or paragraph a line, plain, .gz or .xz; or a folder of such files
#   --pairs DIR         files of word pairs: SimLex-999, WordSim-353, ...
#   --questions DIR     files of analogy questions (none)
#   --models "NAME ..." skip-gram-ns, skip-gram-hs, cbow-ns, cbow-hs, fasttext and glove (all of them)
#   --dim N             elements of a vector (100)
#   --epochs N          of word2vec and fastText (5)
#   --glove-epochs N    of GloVe (25)
#   --min-count N       rarer words have no vector (5)
#   --work DIR          for all that is made (work/teachers)
#   --stage N           first stage: 1 train, 2 similarity, 3 analogy (1)
#   --stop-stage N      last stage (3)
#
# Example: recipes/reconstruction/teachers.sh --corpus corpus.txt.xz --pairs wordsim --models "cbow-ns glove"

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

corpus=
pairs=
questions=
models="skip-gram-ns skip-gram-hs cbow-ns cbow-hs fasttext glove"
dim=100
epochs=5
glove_epochs=25
min_count=5
work=work/teachers
stage=1
stop_stage=3

x_max=10        # of GloVe; the paper's 100 is for corpora a thousand times as large
buckets=200000  # of fastText's n-grams; a tenth of its default

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "corpus pairs questions models dim epochs glove_epochs min_count work stage stop_stage" "$@"
numbers dim epochs glove_epochs min_count
stages_up_to 3
read -ra names <<< "$models"
each_of models skip-gram-ns skip-gram-hs cbow-ns cbow-hs fasttext glove
[[ -e $corpus ]] || die "--corpus '$corpus': not there; see $0 --help"
[[ -d $pairs ]] || die "--pairs '$pairs': no such folder; see $0 --help"
[[ -z $questions || -d $questions ]] || die "--questions '$questions': no such folder"
not_ours --model --loss --lower-case --dim --min-count --epochs --output
. "$recipes/lib/stages.sh"
python "$recipes/reconstruction/check_sets.py" "$pairs" ${questions:+"$questions"} || exit

texts=("$corpus")
[[ ! -d $corpus ]] || texts=("$corpus"/*)

# command_of MODEL FILE: that trains it, in `command`.
command_of() {
  local more=(--epochs "$epochs")
  case $1 in
    glove) more=(--epochs "$glove_epochs" --x-max "$x_max") ;;
    fasttext) more+=(--buckets "$buckets") ;;
    *) more+=(--loss "${1##*-}") ;;
  esac
  command=(teacher "${texts[@]}" --model "${1%-[nh]s}" --lower-case --dim "$dim" --min-count "$min_count"
    "${more[@]}" "${rest[@]}" --output "$2")
}

if ((${#rest[@]})); then  # it may be for some models only: better to hear of that before the first one is trained
  for model in "${names[@]}"; do
    command_of "$model" "$work/$model.vec"
    python "$recipes/reconstruction/check_command.py" "${command[@]}" || exit
  done
fi

# settings_of MODEL: what its vectors depend on.
settings_of() {
  if [[ $1 == glove ]]; then echo "glove_epochs $glove_epochs"; else echo "epochs $epochs"; fi
  printf '%s\n' "dim $dim" "min_count $min_count" "options ${rest[*]}" "${sums[@]}"
}

make_folder "$work"
lock "$work"
sums=()
for text in "${texts[@]}"; do sums+=("${text##*/} $(cksum < "$text")"); done
for model in "${names[@]}"; do
  [[ ! -e $work/$model.vec ]] || same_settings "$work/$model.settings" "$(settings_of "$model")"
done

files=()
for model in "${names[@]}"; do
  file=$work/$model.vec
  files+=("$file")
  if run_stage 1 "train $model" "$file"; then
    SECONDS=0
    keep_settings "$work/$model.settings" "$(settings_of "$model")"
    command_of "$model" "$file"
    alone "${command[@]}"
    echo "$model: $SECONDS seconds"
  fi
done

if in_stage 2; then
  for file in "${files[@]}"; do need 1 "$file"; done
  alone similarity --lower-case --vectors "${files[@]}" --pairs "$pairs"/*
fi

if [[ -n $questions ]] && in_stage 3; then
  for file in "${files[@]}"; do need 1 "$file"; done
  alone analogy --lower-case --vectors "${files[@]}" --questions "$questions"/*
fi
