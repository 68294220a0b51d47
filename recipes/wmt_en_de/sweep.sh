#!/usr/bin/env bash
# What the number of codes c, of codebooks M and the share of zeros p_o do (footnote 4 of the paper): one of them
# is varied at a time, the others are as in the paper, c = 64, M = 8, p_o = 0.5.
#
#   recipes/wmt_en_de/sweep.sh [option ...] [options of run.sh ...]
#
#   --row NAME          a row with ALONE (binary_4096)
#   --codes "N ..."     values of c (16 32 64 128)
#   --codebooks "N ..." values of M; 0 is an independent filter for each word (4 8 16)
#   --zero-probs "P ..."  values of p_o, only for binary filters (0.25 0.5 0.75)
#   --work DIR          of run.sh; the table goes there, too (work/wmt_en_de)
#
# Example: recipes/wmt_en_de/sweep.sh --row real_8192 --codes "32 128" --gpus 4

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

row=binary_4096
codes="16 32 64 128"
codebooks="4 8 16"
zero_probs=
work=work/wmt_en_de

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipe=$recipes/wmt_en_de
. "$recipes/lib/options.sh"
own="row codes codebooks zero_probs work" taken="config variant"
. "$recipes/lib/several.sh"
check_row "$recipe/conf" "$row"
[[ $row == real_* || $row == binary_* ]] || die "--row $row has no filters; choose one of ALONE's"

number_lists codes codebooks!
# As many filters as there are words, 32,768 of them, or 8,192 with --size small: 3^8 and 64^2 are too few for either.
for value in $codes; do
  ((value >= 4)) || die "--codes $value: 8 codebooks of so few columns make fewer filters than there are words; 4 is enough"
done
for value in $codebooks; do
  ((value == 0 || value >= 3)) || die "--codebooks $value: fewer filters than there are words; 3 is enough, 0 needs none"
done
if [[ $row == binary_* ]]; then
  zero_probs=${zero_probs:-0.25 0.5 0.75}
else
  [[ -z $zero_probs ]] || die "--zero-probs is for binary filters, not for --row $row"
fi
for value in $zero_probs; do
  [[ $value =~ ^0\.[0-9]*[1-9]$ ]] || die "--zero-probs must be numbers between 0 and 1, such as 0.25, not '$value'"
done

train_row --config "$row"  # c = 64, M = 8, p_o = 0.5
for value in $codes; do
  [[ $value == 64 ]] || train_row --config "$row" --variant "c$value" -- --alone-codes "$value"
done
for value in $codebooks; do
  [[ $value == 8 ]] || train_row --config "$row" --variant "M$value" -- --alone-codebooks "$value"
done
for value in $zero_probs; do
  [[ $value == 0.5 ]] || train_row --config "$row" --variant "po$value" -- --alone-zero-prob "$value"
done
[[ -n $partial ]] || python "$recipe/table.py" --work "$work" --variants || exit
