#!/usr/bin/env bash
# Tables 1 and 2 of Ohashi et al. 2020 on your vectors: students of sub-words, with the local loss alone and with the
# global loss.
#
#   recipes/reconstruction/global_loss.sh --vectors FILE --pairs DIR [option ...] [-- options of fairseq-train]
#
# The teacher of the paper is fastText; recipes/reconstruction/teachers.sh trains one.
# What is done is not done again: the same command goes on where it was stopped, and with more students or seeds it
# adds theirs. To run it in the background, put nohup before it and > global_loss.log 2>&1 & behind it.
#
#   --vectors FILE      the teacher: word2vec, GloVe, fastText or .npz, frequent words first
#   --pairs DIR         files of word pairs: WordSim-353, MEN, Rare Words, ...; means are of those with 100 pairs or more
#   --words N           words that are learnt, the first ones; or all (all)
#   --case NAME         lower: words in lower case only, and pairs in lower case; or any (lower)
#   --students "NAME ..."  ("char_rnn char_cnn ngram_bag ngram_attention")
#   --losses "NAME ..." local, and global: both together ("local global")
#   --epochs "N ..."    growing; the table is of the last, the curves are of all; the paper's is not known ("50")
#   --lr N              likewise (0.001)
#   --neighbours-of "WORD ..."  ("london flu")
#   --seeds "N ..."     ("1")
#   --jobs N            students that are trained side by side (1)
#   --work DIR          for all that is made (work/global_loss)
#   --stage N           first stage: 1 choose words, 2 train and score, 3 table and figure, 4 neighbours (1)
#   --stop-stage N      last stage (4)
#
# Example: recipes/reconstruction/global_loss.sh --vectors fasttext.vec --pairs wordsim --students ngram_attention

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

vectors=
pairs=
words=all
case=lower
students="char_rnn char_cnn ngram_bag ngram_attention"
losses="local global"
epochs=50
lr=0.001
neighbours_of="london flu"
seeds=1
jobs=1
work=work/global_loss
stage=1
stop_stage=4

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "vectors pairs words case students losses epochs lr neighbours_of seeds jobs work stage stop_stage" "$@"
[[ $words == all ]] || numbers words
numbers jobs
stages_up_to 4
one_of case lower any
each_of students char_rnn char_cnn ngram_bag ngram_attention char_bilstm alone
each_of losses local global
number_lists epochs seeds
growing epochs
decimal lr
. "$recipes/lib/stages.sh"
. "$recipes/reconstruction/students.sh"

training=(--distance mean-squared --optimizer adam --lr "$lr" --batch-size 256)
choose_teacher "lr $lr"$'\n'"options ${rest[*]}" --embedding --alone-seed

grid() {
  local name loss seed more
  for name in $students; do
    for loss in $losses; do
      more=()
      [[ $loss == local ]] || more=(--global-loss)
      for seed in $seeds; do
        [[ $name != alone ]] || more+=(--alone-seed "$seed")
        student "$name-$loss-seed$seed" "$epochs" --arch "student_$name" "${training[@]}" "${more[@]}" --seed "$seed"
      done
    done
  done
}

train_grid

if in_stage 3; then
  python "$here/global_loss.py" --work "$work" --pairs-sum "$pairs_sum" --epochs "$epochs" --plot "$work/global_loss.png"
fi

if in_stage 4; then
  files=() last=${epochs##* }
  for name in $students; do
    for loss in $losses; do
      files+=("$work/$name-$loss-seed${seeds%% *}/$name-$loss-seed${seeds%% *}-epoch-$last.safetensors")
    done
  done
  show_neighbours "$neighbours_of" "${files[@]}"
fi
