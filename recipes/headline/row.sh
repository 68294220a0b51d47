# shellcheck shell=bash
# A row of the table: what conf/ says of it, what it is trained on, and how its headlines are written and scored.
# shellcheck disable=SC2154,SC2034  # settings of run.sh; row is for it

# choose_devices: from --gpus and --processes.
choose_devices() {
  count_devices "$batches"
  use_devices "$gpus" "$processes"
  device+=(${max_tokens:+--max-tokens "$max_tokens"} --update-freq $((batches / count)))
}

# row_arguments NAME CONTROL: fairseq-train's arguments for it, in `row`.
row_arguments() {
  local file=$here/conf/$1.conf embedding filter inter_dim
  check_row "$here/conf" "$1"
  read_settings "$file" "embedding filter inter_dim"
  row=(--task headline_generation --source-lang en --target-lang headline --embedding "$embedding")
  [[ $embedding == lookup ]] || row+=(--alone-filter "$filter" --alone-inter-dim "$inter_dim"
    --alone-relu-dropout "$relu_dropout" --alone-stop-relu-dropout "$stop_relu_dropout")
  row+=(--length-control "${2%_pe}")
  case $2 in
    *_pe) row+=(--length-control-pe) ;;
    none) ;;
    *) row+=(--no-length-control-pe) ;;
  esac
}

# prepare_duc OUTPUT: of each year the texts, the references, and the texts as the model reads them.
prepare_duc() {
  local year mask=()
  [[ -z $pairs ]] || mask+=(--plain)  # tokenizer.json says Moses
  python "$here/duc.py" --duc "$duc" --unpack "$1/unpacked" --output "$1" || exit
  rm -rf "$1/unpacked"
  [[ -z $gigaword || -n $keep_digits ]] || mask+=(--digits)
  [[ -z $gigaword || -n $no_unk ]] || mask+=(--known "$source/known.txt")
  for year in 2003 2004; do
    python "$here/mask.py" "$1/$year.text" ${words:+--words "$words"} "${mask[@]}" > "$1/$year.input"
  done
}

# texts_of SET: the file with a text in each line, as the model reads them.
texts_of() {
  case $1 in
    test) echo "$text/raw/test.en" ;;
    duc*) echo "$work/duc/${1#duc}.input" ;;
  esac
}

# references_of SET: their files, one a line.
references_of() {
  case $1 in
    test) echo "$text/raw/test.headline" ;;
    duc*) printf '%s\n' "$work/duc/${1#duc}.ref"{0..3} ;;
  esac
}

# write_headlines SET LENGTH NAME: NAME.best, with the small beam, and NAME.reranked, of the candidates of a large one.
write_headlines() {
  local texts wanted=()
  texts=$(texts_of "$1")
  [[ $2 == free ]] || wanted=(--desired-length "$2")
  alone translate --checkpoint "$averaged" --data "$bin" "${wanted[@]}" --beam "$beam" < "$texts" > "$3.best.tmp"
  publish "$3.best"
  alone translate --checkpoint "$averaged" --data "$bin" "${wanted[@]}" --beam "$nbest" --nbest "$nbest" \
    < "$texts" > "$3.candidates"
  alone rerank --candidates "$3.candidates" --nbest "$nbest" --source "$texts" --data "$bin" --stem > "$3.reranked.tmp"
  publish "$3.reranked"
}

# score_headlines SET LENGTH NAME: see score.py. Of a model that is told no length, all of the wanted ones count.
score_headlines() {
  local options references wanted
  mapfile -t references < <(references_of "$1")
  options=("${irregular[@]}")
  [[ $1 != duc* ]] || options+=(--texts "$work/duc/${1#duc}.text")
  read -ra wanted <<< "${2/free/$lengths}"
  python "$here/score.py" "$3" --references "${references[@]}" --lengths "${wanted[@]}" "${options[@]}"
}
