# shellcheck shell=bash
# The text of the recipe: its names in --data-dir, and how it is fetched where that is not given.

sets=(train newstest2013 newstest2014)
pieces=(train.tok.clean.bpe.32000 newstest2013.tok.bpe.32000 newstest2014.tok.bpe.32000)
wanted="put {train,newstest2013,newstest2014}.{en,de}, raw text with a sentence a line, or the preprocessed WMT16 set \
({train.tok.clean,newstest2013.tok,newstest2014.tok}.bpe.32000.{en,de} and bpe.32000), into a folder and add --data-dir"

# The parallel training data of WMT16, 4.5 million pairs: archive, and the name in it without .en or .de.
training=(
  "https://www.statmt.org/europarl/v7/de-en.tgz europarl-v7.de-en"
  "https://www.statmt.org/wmt13/training-parallel-commoncrawl.tgz commoncrawl.de-en"
  "https://data.statmt.org/wmt16/translation-task/training-parallel-nc-v11.tgz news-commentary-v11.de-en"
)

# link_corpus DATA OUTPUT: links to what is there, under the names of raw text. OUTPUT/kind is raw or pieces.
link_corpus() {
  local data names=("${sets[@]}") kind=raw index lang
  data=$(cd "$1" 2> /dev/null && pwd) || die "$1: no such folder; $wanted"
  if [[ -e $data/${pieces[0]}.en ]]; then
    kind=pieces names=("${pieces[@]}")
    link "$data/bpe.32000" "$2/codes"
    mkdir "$2/raw"
  fi
  for index in "${!sets[@]}"; do
    for lang in en de; do
      link "$data/${names[index]}.$lang" "$2/${sets[index]}.$lang"
      [[ $kind == raw || ! -e $data/${sets[index]}.$lang ]] ||
        link "$data/${sets[index]}.$lang" "$2/raw/${sets[index]}.$lang"
    done
  done
  echo "$kind" > "$2/kind"
}

link() {
  [[ ! -e $1 && -e $1.gz ]] && die "$1: not there, only compressed; unpack it: gunzip $1.gz"
  [[ -f $1 && -r $1 ]] || die "$1: not there; $wanted"
  ln -s "$1" "$2"
}

# download_corpus ARCHIVES OUTPUT: WMT16's training data, newstest2013 and newstest2014.
download_corpus() {
  local archives=$1 output=$2 address archive lang set side
  mkdir -p "$archives"
  for set in "wmt13 newstest2013" "wmt14/full newstest2014"; do
    for side in "src en" "ref de"; do
      test_set "${set% *}" "${side% *}" "$output/${set#* }.${side#* }" ||
        die "sacreBLEU's ${set% *} cannot be fetched; without a network $wanted"
    done
  done
  for address in "${training[@]%% *}"; do
    fetch "$address" "$archives/${address##*/}" || die "$address: cannot be fetched; without a network $wanted"
  done
  for address in "${training[@]}"; do
    archive=${address%% *} archive=$archives/${archive##*/}
    for lang in en de; do
      tar --extract --gzip --to-stdout --wildcards --file "$archive" "*${address##* }.$lang" \
        >> "$output/train.$lang" 2> /dev/null || die "$archive: damaged, or the disk is full; remove it and run again"
    done
  done
  echo raw > "$output/kind"
}

# test_set NAME src|ref FILE: one side of a test set, from sacreBLEU.
test_set() {
  sacrebleu --test-set "$1" --language-pair en-de --echo "$2" > "$3" 2> /dev/null
}

# fetch ADDRESS FILE: goes on with what an interrupted run has left.
fetch() {
  local status=0 answer
  [[ ! -e $2 ]] || return 0
  answer=$(curl --fail --location --silent --show-error --retry 2 --continue-at - --write-out '%{http_code}' \
    --output "$2.part" "$1") || status=$?
  # The server does not go on, or the part is all of it, and there is nothing in that range.
  if [[ ($status =~ ^(33|36)$ || $answer == 416) && -e $2.part ]]; then
    rm "$2.part"
    curl --fail --location --silent --show-error --retry 2 --output "$2.part" "$1" && status=0
  fi
  ((status == 0)) || return 1
  mv "$2.part" "$2"
}

# corpus_settings CORPUS: a line for each of its files.
corpus_settings() {
  local file
  cat "$1/kind"
  for file in "$1"/*.{en,de} "$1"/raw/*.{en,de} "$1"/codes; do
    [[ ! -e $file ]] || echo "${file#"$1/"} $(cksum < "$file")"
  done
}
