# shellcheck shell=bash
# Stages of a recipe: each makes one output under a temporary name, and is skipped when the output is there.

set -E
trap 'failed "see above"' ERR

# failed REASON
failed() {
  local free
  free=$(df --output=avail --block-size=1M "${work:-.}" 2> /dev/null | tail -n 1)
  ((${free:-1})) || die "stage ${running:-0} failed, no space left in $work; make room, the same command goes on"
  die "stage ${running:-0} failed, $1; the same command takes it up again"
}

# quietly LOG COMMAND...: what it prints goes to LOG; of a failure the last line is shown.
quietly() {
  "${@:2}" > "$1" 2>&1 || failed "$(tail -n 1 "$1")"
}

export LC_ALL=C PYTHONUTF8=1  # numbers with a point, one order of sorting; text is UTF-8 whatever the locale

# The environment that `make quickstart` sets up, unless another one is active.
if ! command -v alone > /dev/null; then
  PATH=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.venv/bin:$PATH
  command -v alone > /dev/null || die "no command 'alone'; activate the environment it is installed in"
fi

# in_stage NUMBER: whether the stage is asked for (stage, stop_stage).
in_stage() {
  running=$1
  ((${stage:?} <= $1 && $1 <= ${stop_stage:?}))
}

# run_stage NUMBER TITLE OUTPUT: whether the stage is asked for and its output missing.
run_stage() {
  in_stage "$1" || return 1
  if [[ -e $3 ]]; then
    echo "stage $1: $2: done already, $3"
    return 1
  fi
  echo "stage $1: $2"
}

# need NUMBER PATH: what an earlier stage must have made.
need() {
  [[ -e $2 ]] || die "$2: not there; run stage $1 first"
}

# scratch OUTPUT: an empty folder OUTPUT.tmp, without what an interrupted run may have left there.
scratch() {
  rm -rf "$1.tmp"
  mkdir "$1.tmp"
}

# publish OUTPUT: OUTPUT.tmp, file or folder, is complete and gets its name.
publish() {
  mv -T "$1.tmp" "$1"
}

# make_folder FOLDER: unless it is there.
make_folder() {
  [[ $1 != *[:,]* ]] || die "--work $1: fairseq takes ':' and ',' in a path for the end of it; choose another --work"
  mkdir -p "$1" 2> /dev/null && [[ -w $1 ]] || die "$1: cannot be written to; choose another --work"
}

# lock FOLDER: it is ours from here to `unlock`, or to the end of all that this recipe has started.
lock() {
  exec {lock}>> "$1/.lock"
  flock --nonblock "$lock" || {
    echo "waiting for another run in $1"
    flock "$lock"
  }
}

unlock() {
  exec {lock}>&-
}

# keep_settings FILE SETTINGS
keep_settings() {
  echo "$2" > "$1.tmp"
  publish "$1"
}

# names_and_sizes FOLDER: a number that tells its files from others', without reading them.
names_and_sizes() {
  find -L "$1" -type f -printf '%P %s\n' | sort | cksum
}

# same_settings FILE SETTINGS [ADVICE [PATTERN]]: refuse to go on from outputs of other settings. One a line: name value.
# Those that PATTERN matches do not count; an empty ADVICE is the usual one.
same_settings() {
  local old new drop="/${4:-^\$}/d"
  [[ -e $1 ]] || return 0
  old=$(comm -23 <(sort "$1") <(sort <<< "$2") | sed -E "$drop")
  new=$(comm -13 <(sort "$1") <(sort <<< "$2") | sed -E "$drop")
  old=${old//$'\n'/ } new=${new//$'\n'/ }
  [[ -z $old$new ]] || die "${1%/*} was made with other settings, '${old:-nothing}' in place of" \
    "'${new:-nothing}'; ${3:-choose another --work, or remove that folder}"
}
