#!/usr/bin/env bash
# Table 3: trains its rows one after the other, skips what is finished, and sets them side by side.
#
#   recipes/headline/table.sh [option ...] [options of run.sh ...]
#
#   --rows "NAME ..."   which rows, in this order (all five)
#   --seeds "N ..."     which seeds, all rows for one before the next (1)
#   --work DIR          of run.sh; the table and the picture go there, too (work/headline)
#   --exceptions DIR    of run.sh
#
# All other options are run.sh's, such as --gigaword, --duc and --gpus, but not --config, --seed and --variant.
#
# Example: recipes/headline/table.sh --gigaword LDC2012T21 --duc DUC --gpus 4

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

rows="lookup real_512 real_1024 binary_512 binary_1024"
seeds=1
work=work/headline
exceptions=

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipe=$recipes/headline
. "$recipes/lib/options.sh"
own="rows seeds work exceptions" taken="config seed variant"
. "$recipes/lib/several.sh"
number_lists seeds
check_rows "$recipe/conf"
scoring=(${exceptions:+--exceptions "$exceptions"})

for seed in $seeds; do
  for row in $rows; do
    train_row --config "$row" --seed "$seed" "${scoring[@]}"
  done
done
[[ -n $partial ]] || python "$recipe/table.py" --work "$work" "${scoring[@]}" || exit
