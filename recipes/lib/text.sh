# shellcheck shell=bash
# From raw text to binarised data. `workers`, where a recipe sets it, is the number of processes.

lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# check_text SOURCE TARGET OUTPUT_SOURCE OUTPUT_TARGET [--drop]: copies of the two sides of a parallel text.
check_text() {
  python "$lib/clean_parallel.py" "$@" || exit
}

# tokenizer_json BPE SOURCE TARGET [NAME VALUE]...: what `alone translate` wants to know of the text.
tokenizer_json() {
  local tokenizer=moses
  [[ $1 != sentencepiece ]] || tokenizer=none
  printf '{"version": 1, "source_lang": "%s", "target_lang": "%s",\n' "$2" "$3"
  printf ' "tokenizer": "%s", "bpe": "%s", "codes": "codes"' "$tokenizer" "$1"
  shift 3
  (($# == 0)) || printf ', "%s": %s' "$@"
  echo '}'
}

# text_to ACTION CONFIG FOLDER FILE.LANG...: of each file one of the same name in FOLDER.
text_to() {
  python -m alone_fairseq.text "$1" --config "$2" --workers "${workers:-1}" --into "${@:3}"
}

# learn_bpe BPE SIZE CODES TEXT...: joint codes from tokenised text.
learn_bpe() {
  local bpe=$1 size=$2 codes=$3 quietly told
  shift 3
  cat "$@" > "$codes.text"
  if [[ $bpe == subword_nmt ]]; then
    quietly=()
    [[ -t 2 ]] || quietly=(quietly "$codes.log")  # its progress bar is for terminals only
    "${quietly[@]}" subword-nmt learn-bpe --symbols "$size" --num-workers "${workers:-1}" \
      --input "$codes.text" --output "$codes"
    rm -f "$codes.log"
  else
    # Its C++ writes lines of its own.
    told=$(python - "$size" "$codes.text" "$codes" "${workers:-1}" 2>&1 << 'PYTHON'
import sys
from sentencepiece import SentencePieceTrainer

size, text, codes, workers = sys.argv[1:]
with open(codes, "wb") as model:
    try:
        SentencePieceTrainer.train(
            input=text, model_writer=model, vocab_size=int(size), model_type="bpe", character_coverage=1.0,
            minloglevel=1, num_threads=int(workers),
        )
    except RuntimeError as error:  # for most, the text does not give so many pieces
        sys.exit(f"--bpe-size {size}: {str(error).rpartition('] ')[2]}")
PYTHON
    ) || die "${told##*$'\n'}"
  fi
  rm "$codes.text"
}

# prepare_text DATA OUTPUT BPE SIZE SOURCE TARGET TRAIN SET...: joint BPE, learnt from TRAIN, and its pieces.
#   OUTPUT/raw/SET.LANG             the text, checked
#   OUTPUT/SET.LANG                 its pieces
#   OUTPUT/{tokenizer.json,codes}   what `alone translate` wants to find with the binarised data
prepare_text() {
  local data=$1 output=$2 bpe=$3 size=$4 langs=("${@:5:2}") sets=("${@:7}") set
  mkdir "$output/raw" "$output/words"
  tokenizer_json "$bpe" "${langs[@]}" > "$output/tokenizer.json"
  for set in "${sets[@]}"; do
    check_text "$data/$set.${langs[0]}" "$data/$set.${langs[1]}" "$output/raw/$set".{"${langs[0]}","${langs[1]}"}
  done
  text_to tokenize "$output/tokenizer.json" "$output/words" "$output"/raw/*
  segment_text "$output/words" "$output" "$bpe" "$size" "${langs[@]}" "${sets[0]}"
  rm -r "$output/words"
}

# segment_text WORDS OUTPUT BPE SIZE SOURCE TARGET TRAIN: joint BPE for all of WORDS; OUTPUT holds tokenizer.json.
segment_text() {
  learn_bpe "$3" "$4" "$2/codes" "$1/$7.$5" "$1/$7.$6"
  text_to segment "$2/tokenizer.json" "$2" "$1"/*
}

# binarise TEXT OUTPUT SOURCE TARGET TRAIN VALID TEST [OPTION]...: with one dictionary for both languages.
binarise() {
  local told
  quietly "$2/preprocess.out" fairseq-preprocess --source-lang "$3" --target-lang "$4" --joined-dictionary \
    --destdir "$2" --trainpref "$1/$5" --validpref "$1/$6" --testpref "$1/$7" --workers "${workers:-1}" "${@:8}"
  rm "$2/preprocess.out"
  told=$(grep -o '\[..\] .*' "$2/preprocess.log")
  echo "${told//"$1/"/}"
  cp "$1/tokenizer.json" "$1/codes" "$2"
}

# words BIN LANG: the size of a dictionary, with <s>, <pad>, </s> and <unk>.
words() {
  echo $(($(wc -l < "$1/dict.$2.txt") + 4))
}
