# shellcheck shell=bash
# From the corpus to the words that BPE is learnt from.
# shellcheck disable=SC2154  # sets, recipes: of run.sh

longest=250  # tokens of a sentence of the training text
ratio=1.5    # of the lengths of its two sides

# source_of FILE: what is to be mended if something is wrong with it.
source_of() {
  [[ -L $1 ]] && readlink "$1" || echo "$1"
}

# check_sets CORPUS FOLDER: copies of all sets in FOLDER, train without what is dropped; prints the counts.
check_sets() {
  local set drop
  for set in "${sets[@]}"; do
    drop=()
    [[ $set != train ]] || drop=(--drop)
    check_text "$(source_of "$1/$set.en")" "$(source_of "$1/$set.de")" "$2/$set".{en,de} "${drop[@]}"
  done
}

# clean_raw CORPUS OUTPUT BPE: raw/ for validation and test, words/ for all, counts.txt of what was dropped.
clean_raw() {
  local corpus=$1 output=$2 lang
  tokenizer_json "$3" en de normalize_punctuation true > "$output/tokenizer.json"
  check_sets "$corpus" "$output/raw" > "$output/counts.txt"
  text_to tokenize "$output/tokenizer.json" "$output/words" "$output"/raw/*
  rm "$output"/raw/train.*
  python "$recipes/lib/filter_lengths.py" "$output"/words/train.{en,de} "$output"/{en,de}.kept \
    --longest "$longest" --ratio "$ratio" >> "$output/counts.txt" || exit
  for lang in en de; do
    mv "$output/$lang.kept" "$output/words/train.$lang"
  done
}

# clean_pieces CORPUS OUTPUT: the same for text that has gone through Moses and BPE already.
clean_pieces() {
  local corpus=$1 output=$2 set
  tokenizer_json subword_nmt en de escape true > "$output/tokenizer.json"
  cp "$corpus/codes" "$output/codes"
  check_sets "$corpus" "$output/words" > "$output/counts.txt"
  for set in "${sets[@]:1}"; do
    if [[ -e $corpus/raw/$set.en && -e $corpus/raw/$set.de ]]; then
      check_text "$corpus/raw/$set".{en,de} "$output/raw/$set".{en,de}
    else
      echo "$set: no raw text there; it is made from the tokens, scores are not comparable with those on raw text"
      text_to decode "$output/tokenizer.json" "$output/raw" "$output/words/$set".{en,de} || exit
    fi
  done
  check_codes "$output"
}

# check_codes OUTPUT: BPE with the codes must make the pieces that are there, or what is translated is cut otherwise.
check_codes() {
  local lang lines other joined=$1/joined
  mkdir "$joined" "$joined/pieces"
  for lang in en de; do
    sed 's/@@ //g' "$1/words/newstest2013.$lang" > "$joined/newstest2013.$lang"
  done
  text_to segment "$1/tokenizer.json" "$joined/pieces" "$joined"/newstest2013.* || exit
  for lang in en de; do
    lines=$(wc -l < "$1/words/newstest2013.$lang")
    other=$(paste -d $'\001' "$1/words/newstest2013.$lang" "$joined/pieces/newstest2013.$lang" |
      awk -F $'\001' '$1 != $2' | wc -l)
    ((other * 20 <= lines)) || die "bpe.32000 does not make the pieces of newstest2013.$lang: $other of $lines lines" \
      "differ; are they from one vocabulary?"
  done
  rm -r "$joined"
}

# check_known BIN KIND: the pieces of validation and test must be among those of the training text. Of pieces from
# another vocabulary of the same languages some 6 in 100 are not.
check_known() {
  local line unknown limit=10
  [[ $2 == raw ]] || limit=2
  while read -r line; do
    unknown=$(sed -n 's/.* \([0-9]*\)[.0-9]*% replaced.*/\1/p' <<< "$line")
    ((${unknown:-0} < limit)) || die "${line#\[*\] }: too many pieces that are not in the dictionary;" \
      "are the files of --data-dir from one vocabulary?"
  done < <(grep -o '\[..\] .*replaced' "$1/preprocess.log")
}
