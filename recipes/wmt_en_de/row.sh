# shellcheck shell=bash
# A row of the table: what conf/ says of it, the machines it is trained on, and what its translations are scored with.
# shellcheck disable=SC2154,SC2034  # settings of run.sh; row, reference(s) are for it

# choose_devices: from --gpus, --processes and --machines.
choose_devices() {
  count_devices "$batches" "$machines"
  ((machines == 1)) || [[ $head =~ ^[^:]+:[0-9]+$ ]] || die "--head must be HOST:PORT, not '$head'"
  ((machine < machines)) || die "--machine must be below $machines, not $machine"
  use_devices "$gpus" "$processes" "$machines" "$machine" "$head"
  device+=(${max_tokens:+--max-tokens "$max_tokens"} --update-freq $((batches / count)))
}

# row_arguments NAME: fairseq-train's arguments for it, in `row`.
row_arguments() {
  local file=$recipes/wmt_en_de/conf/$1.conf given=$dropout
  local embedding filter inter_dim factorized_dim freeze_base=''
  check_row "$recipes/wmt_en_de/conf" "$1"
  read_settings "$file" "embedding filter inter_dim factorized_dim freeze_base dropout"
  if [[ -n $given && $given != "${dropout%%,*}" ]]; then
    variant=${variant:+$variant-}dropout$given
  fi
  dropout=${given:-${dropout%%,*}}
  row=(--task translation --source-lang en --target-lang de --embedding "$embedding" --dropout "$dropout")
  case $embedding in
    factorized) row+=(--factorized-dim $((factorized_dim / (shrink > 1 ? 2 : 1)))) ;;
    alone)
      row+=(--alone-filter "$filter" --alone-inter-dim $((inter_dim / shrink))
        --alone-relu-dropout "${relu_dropout[$filter]}" --alone-stop-relu-dropout "$stop_relu_dropout")
      [[ -z $freeze_base ]] || row+=(--alone-freeze-base)
      ;;
  esac
}

# references SET RAW: what sacrebleu compares with, in `reference`, and its name in `references`, for sacreBLEU's
# signature does not tell it. It is sacreBLEU's own WMT 2014 if it can be had, and the text is that; else ours.
references() {
  reference=("$2/$1.de") references="$1.de of the data, $(wc -l < "$2/$1.de") sentences"
  if [[ $1 == newstest2014 && $(wc -l < "$2/$1.de") == 3003 ]] &&
    test_set wmt14/full ref "$run/official" && cmp --quiet "$run/official" "$2/$1.de"; then
    reference=(--test-set wmt14/full --language-pair en-de) references="sacreBLEU's wmt14/full, 3003 sentences"
  fi
  rm -f "$run/official"
}
