#!/usr/bin/env bash
# A small model of generated pairs, in a few minutes without a GPU, and the same headline at three lengths.
#
#   recipes/headline/demo.sh [option ...] [-- options of fairseq-train]
#
#   --text TEXT         what to write headlines of (a sentence like those of the pairs)
#   --work DIR          for all that is made (work/headline-demo)

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

text="rescuers said on friday that 12 people were hurt when a mountain cable car came to a halt near falkental in thick fog ."
work=work/headline-demo

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "text work" "$@"
. "$recipes/lib/stages.sh"

make_folder "$work"
pairs=$work/generated
if [[ ! -e $pairs ]]; then
  scratch "$pairs"
  python "$recipes/headline/generate.py" --output "$pairs.tmp"
  publish "$pairs"
fi
echo "training, $work/demo.log"
"$recipes/headline/run.sh" --pairs "$pairs" --work "$work" --size small --gpus 0 --bpe-size 400 --lead-epochs 0 \
  --stop-stage 6 -- \
  --encoder-embed-dim 128 --encoder-ffn-embed-dim 256 --encoder-layers 2 \
  --decoder-embed-dim 128 --decoder-ffn-embed-dim 256 --decoder-layers 2 \
  --max-tokens 1024 --lr 3e-3 --warmup-updates 300 \
  --max-update 2000 --keep-last-epochs 1 "${rest[@]}" \
  > "$work/demo.log" 2>&1 || die "failed, see the end of $work/demo.log"

echo "text  $text"
for length in 30 50 75; do
  headline=$(alone translate --checkpoint "$work/real_512-lrpe_pe-seed1/averaged.pt" --data "$work/bin" \
    --desired-length "$length" <<< "$text")
  printf '%4d  %s (%d)\n' "$length" "$headline" "${#headline}"
done
