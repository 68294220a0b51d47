#!/usr/bin/env bash
# Table 2: trains its rows one after the other, skips what is finished, and sets them side by side.
#
#   recipes/wmt_en_de/table.sh [option ...] [options of run.sh ...]
#
#   --rows "NAME ..."   which rows, in this order (all)
#   --seeds "N ..."     which seeds, all rows for one before the next (1)
#   --work DIR          of run.sh; the table and the pictures go there, too (work/wmt_en_de)
#   --dropouts NAME     for rows whose dropout the paper does not tell: all, and the lower validation loss counts, or
#                       first (all)
#
# All other options are run.sh's, such as --gpus, but not --config, --seed, --dropout and --variant. With GPUs enough
# for several rows, run table.sh once for each group of them, with another --rows and CUDA_VISIBLE_DEVICES: the runs
# share the prepared text.
#
# Example: recipes/wmt_en_de/table.sh --rows "lookup real_8192" --gpus 4

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

rows="lookup factorized_128 factorized_256 real_4096 real_8192 binary_4096 binary_8192
  real_4096_frozen real_8192_frozen binary_4096_frozen binary_8192_frozen"
seeds=1
work=work/wmt_en_de
dropouts=all

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipe=$recipes/wmt_en_de
. "$recipes/lib/options.sh"
own="rows seeds work dropouts" taken="config seed dropout variant"
. "$recipes/lib/several.sh"
one_of dropouts all first
number_lists seeds
check_rows "$recipe/conf"

for seed in $seeds; do
  for row in $rows; do
    choices=$(sed -n 's/^dropout //p' "$recipe/conf/$row.conf")
    [[ $dropouts == all ]] || choices=${choices%%,*}
    for dropout in ${choices//,/ }; do
      train_row --config "$row" --seed "$seed" --dropout "$dropout"
    done
  done
done
[[ -n $partial ]] || python "$recipe/table.py" --work "$work" || exit
