#!/usr/bin/env bash
# Figure 3 of the ALONE paper on your vectors: word similarity of ALONE fitted to them, for growing D_inter.
#
#   recipes/reconstruction/figure3.sh --vectors FILE --pairs DIR [option ...] [-- options of fairseq-train]
#
# What is done is not done again: the same command goes on where it was stopped, and with more seeds or sizes it adds
# theirs. Students that are not asked for, or not done yet, are "not run" in the table.
# To run it in the background, put nohup before it and > figure3.log 2>&1 & behind it.
#
#   --vectors FILE      the teacher: word2vec, GloVe, fastText or .npz, frequent words first
#   --pairs DIR         files of word pairs: SimLex-999, WordSim-353, RG-65, ...
#   --words N           words that are learnt, the first ones; or all (5000)
#   --case NAME         lower: words in lower case only, and pairs in lower case; or any (lower)
#   --filters "NAME ..."  real and binary ("real binary")
#   --bases "NAME ..."  whether o is trained: trained and fixed ("trained fixed")
#   --inter-dims "N ..."  D_inter, or none ("600 1200 1800 2400")
#   --shares "N ..."    beyond the paper: per cent of the teacher's values, real filters, o trained, or none ("50 25 10")
#   --seeds "N ..."     of o, W and the filters ("1 2 3 4 5")
#   --epochs N          (1000)
#   --jobs N            students that are trained side by side (1)
#   --work DIR          for all that is made (work/figure3)
#   --stage N           first stage: 1 choose words, 2 train and score, 3 table and figure (1)
#   --stop-stage N      last stage (3)
#
# Example: recipes/reconstruction/figure3.sh --vectors vectors.npz --pairs wordsim --seeds 1 --jobs 2

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

vectors=
pairs=
words=5000
case=lower
filters="real binary"
bases="trained fixed"
inter_dims="600 1200 1800 2400"
shares="50 25 10"
seeds="1 2 3 4 5"
epochs=1000
jobs=1
work=work/figure3
stage=1
stop_stage=3

# Section 3.1: Adam as PyTorch has it, mini-batches of 256 words.
training=(--arch student_alone --distance squared --optimizer adam --lr 0.001 --batch-size 256)

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "vectors pairs words case filters bases inter_dims shares seeds epochs jobs work stage stop_stage" "$@"
[[ $words == all ]] || numbers words
numbers epochs jobs
stages_up_to 3
one_of case lower any
each_of filters real binary
each_of bases trained fixed
[[ $shares != none ]] || shares=
[[ $inter_dims != none ]] || inter_dims=
number_lists inter_dims shares seeds
[[ -n $inter_dims$shares ]] || die "--inter-dims none and --shares none leave nothing to be trained"
. "$recipes/lib/stages.sh"
. "$recipes/reconstruction/students.sh"

choose_teacher "epochs $epochs"$'\n'"options ${rest[*]}" --embedding --alone-filter --alone-freeze-base \
  --alone-inter-dim --alone-seed

# alone_students FILTER BASE D_INTER: with all seeds.
alone_students() {
  local seed freeze=()
  [[ $2 == trained ]] || freeze=(--alone-freeze-base)
  for seed in $seeds; do
    student "$1-$2-$3-seed$seed" "$epochs" "${training[@]}" --alone-filter "$1" "${freeze[@]}" \
      --alone-inter-dim "$3" --seed "$seed" --alone-seed "$seed"
  done
}

grid() {
  local filter base inter_dim share
  for inter_dim in $inter_dims; do
    for filter in $filters; do
      for base in $bases; do
        alone_students "$filter" "$base" "$inter_dim"
      done
    done
  done
  for share in $shares; do
    alone_students real trained "$(python "$here/figure3.py" --work "$work" --inter-dim-of "$share")"
  done
}

train_grid

if in_stage 3; then
  python "$here/figure3.py" --work "$work" --pairs-sum "$pairs_sum" --inter-dims "$inter_dims" --shares "$shares" \
    --plot "$work/figure3.png"
fi
