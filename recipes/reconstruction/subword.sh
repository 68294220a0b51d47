#!/usr/bin/env bash
# The tables of Stratos 2017 on your vectors: a character BiLSTM that learns them with various distances.
#
#   recipes/reconstruction/subword.sh --vectors FILE --pairs DIR [option ...] [-- options of fairseq-train]
#
# Table 1, word similarity after 0, 10, ... epochs; Table 2, analogy with a highway; Table 4, nearest neighbours.
# (Table 3, part-of-speech tagging, has a command of its own, to which the students here can be given.)
# What is done is not done again: the same command goes on where it was stopped, and with more distances or seeds it
# adds theirs. To run it in the background, put nohup before it and > subword.log 2>&1 & behind it.
#
#   --vectors FILE      the teacher: word2vec, GloVe, fastText or .npz, frequent words first
#   --pairs DIR         files of word pairs: WordSim-353, MEN, Rare Words, ...; means are of those with 100 pairs or more
#   --questions DIR     files of analogy questions (none: no Table 2)
#   --words N           words that are learnt, the first ones; or all (all)
#   --case NAME         lower: words in lower case only, and pairs in lower case; or any (lower)
#   --distances "NAME ..."  manhattan, euclidean, squared, linf, cosine ("manhattan squared linf cosine")
#   --epochs "N ..."    of Table 1, growing ("0 10 20 30 50")
#   --analogy-epochs N  of Table 2 and, with --questions, 4 (10)
#   --neighbours-of "WORD ..."  ("beautiful amazing springfield")
#   --lr N, --dropout N learning rate, and dropout of the LSTMs, which the paper does not give (0.001, 0.1)
#   --seeds "N ..."     ("1")
#   --jobs N            students that are trained side by side (1)
#   --work DIR          for all that is made (work/subword)
#   --stage N           first stage: 1 choose words, 2 train and score, 3 tables and figure, 4 analogy,
#                       5 neighbours (1)
#   --stop-stage N      last stage (5)
#
# Example: recipes/reconstruction/subword.sh --vectors vectors.npz --pairs wordsim --distances cosine --epochs "0 10"

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

vectors=
pairs=
questions=
words=all
case=lower
distances="manhattan squared linf cosine"
epochs="0 10 20 30 50"
analogy_epochs=10
neighbours_of="beautiful amazing springfield"
lr=0.001
dropout=0.1
seeds=1
jobs=1
work=work/subword
stage=1
stop_stage=5

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "vectors pairs questions words case distances epochs analogy_epochs neighbours_of lr dropout seeds jobs
  work stage stop_stage" "$@"
[[ $words == all ]] || numbers words
numbers analogy_epochs jobs
stages_up_to 5
one_of case lower any
each_of distances manhattan euclidean squared linf cosine
number_lists epochs! seeds
growing epochs
decimal lr
below_one dropout
[[ -z $questions || -d $questions ]] || die "--questions '$questions': no such folder"
. "$recipes/lib/stages.sh"
. "$recipes/reconstruction/students.sh"

training=(--optimizer adam --lr "$lr" --student-dropout "$dropout" --batch-size 256)
choose_teacher "lr $lr"$'\n'"dropout $dropout"$'\n'"options ${rest[*]}"

# bilstm NAME "EPOCHS ..." ARCHITECTURE DISTANCE: with all seeds. What the seed has made, 0 epochs, is the same for all
# distances.
bilstm() {
  local seed arguments trained=${2#0}
  for seed in $seeds; do
    arguments=(--arch "$3" --distance "$4" "${training[@]}" --seed "$seed")
    [[ $trained == "$2" ]] || student "$1-random-seed$seed" 0 "${arguments[@]}"
    [[ -z $trained ]] || student "$1-$4-seed$seed" "$trained" "${arguments[@]}"
  done
}

grid() {
  local distance
  for distance in $distances; do
    bilstm plain "$epochs" student_char_bilstm "$distance"
    [[ -z $questions ]] || bilstm highway "0 $analogy_epochs" student_char_bilstm_highway "$distance"
  done
}

# trained_files PREFIX EPOCHS SEED...: the students, as initialised and after so many epochs.
trained_files() {
  local distance seed
  for seed in "${@:3}"; do
    echo "$work/$1-random-seed$seed/$1-random-seed$seed-epoch-0.safetensors"
    for distance in $distances; do
      echo "$work/$1-$distance-seed$seed/$1-$distance-seed$seed-epoch-$2.safetensors"
    done
  done
}

train_grid

if in_stage 3; then
  python "$here/subword.py" --work "$work" --pairs-sum "$pairs_sum" --distances "$distances" --epochs "$epochs" \
    --plot "$work/similarity.png"
fi

if [[ -n $questions ]] && in_stage 4; then
  echo "stage 4: analogy"
  # shellcheck disable=SC2086  # seeds are several words
  mapfile -t files < <(trained_files highway "$analogy_epochs" $seeds)
  for file in "${files[@]}"; do need 2 "$file"; done
  alone analogy --vectors "$teacher" "${files[@]}" --questions "$questions"/* "${cased[@]}" --learnt-only --json \
    > "$work/analogy.json.tmp"
  publish "$work/analogy.json"
  python "$here/subword.py" --work "$work" --analogy "$work/analogy.json"
fi

if in_stage 5; then
  students=(plain "${epochs##* }")
  [[ -z $questions ]] || students=(highway "$analogy_epochs")
  mapfile -t files < <(trained_files "${students[@]}" "${seeds%% *}")
  show_neighbours "$neighbours_of" "${files[@]}"
fi
