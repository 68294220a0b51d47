# shellcheck shell=bash
# From raw text to binarised data.

lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# prepare_text DATA OUTPUT BPE SIZE SOURCE TARGET TRAIN SET...: joint BPE, learnt from TRAIN, and its pieces.
#   OUTPUT/raw/SET.LANG             the text, checked
#   OUTPUT/SET.LANG                 its pieces
#   OUTPUT/{tokenizer.json,codes}   what `alone translate` wants to find with the binarised data
prepare_text() {
  local data=$1 output=$2 bpe=$3 size=$4 langs=("${@:5:2}") sets=("${@:7}") set lang tokenizer=none
  mkdir "$output/raw"
  for set in "${sets[@]}"; do
    python "$lib/clean_parallel.py" "$data/$set.${langs[0]}" "$data/$set.${langs[1]}" "$output/raw" || exit
  done
  [[ $bpe == sentencepiece ]] || tokenizer=moses
  cat > "$output/tokenizer.json" << JSON
{"version": 1, "source_lang": "${langs[0]}", "target_lang": "${langs[1]}",
 "tokenizer": "$tokenizer", "bpe": "$bpe", "codes": "codes"}
JSON
  for lang in "${langs[@]}"; do
    text_to tokenize "$output" "${sets[0]}.$lang"
  done > "$output/joint"
  learn_bpe "$bpe" "$size" "$output/joint" "$output/codes"
  rm "$output/joint"
  for set in "${sets[@]}"; do
    for lang in "${langs[@]}"; do
      text_to apply "$output" "$set.$lang" > "$output/$set.$lang"
    done
  done
}

# text_to ACTION OUTPUT SET.LANG
text_to() {
  python -m alone_fairseq.text "$1" --config "$2/tokenizer.json" --lang "${3##*.}" < "$2/raw/$3"
}

# learn_bpe BPE SIZE TEXT CODES
learn_bpe() {
  if [[ $1 == subword_nmt ]]; then
    subword-nmt learn-bpe --symbols "$2" --input "$3" --output "$4"
  else
    python - "${@:2}" << 'PYTHON'
import sys
from sentencepiece import SentencePieceTrainer

size, text, codes = sys.argv[1:]
with open(codes, "wb") as model:
    SentencePieceTrainer.train(
        input=text, model_writer=model, vocab_size=int(size), model_type="bpe", character_coverage=1.0,
        minloglevel=1,
    )
PYTHON
  fi
}

# binarise TEXT OUTPUT SOURCE TARGET TRAIN VALID TEST: with one dictionary for both languages.
binarise() {
  fairseq-preprocess --source-lang "$3" --target-lang "$4" --joined-dictionary --destdir "$2" \
    --trainpref "$1/$5" --validpref "$1/$6" --testpref "$1/$7"
  cp "$1/tokenizer.json" "$1/codes" "$2"
}

# words BIN LANG: the size of a dictionary, with <s>, <pad>, </s> and <unk>.
words() {
  echo $(($(wc -l < "$1/dict.$2.txt") + 4))
}
