# shellcheck shell=bash
# Options of a recipe: --some-name VALUE sets the variable some_name, and no other names are accepted.

unset CDPATH  # with which cd prints where it goes

die() {
  echo "${0##*/}: error: $*" >&2
  exit 1
}

# parse_options "name name ..." "$@": what stands behind `--` becomes the array `rest`. A name with ! is a switch.
# --help prints the comment at the top of the recipe.
parse_options() {
  local names=" ${1//[[:space:]]/ } " name
  shift
  rest=()
  while (($#)); do
    case $1 in
      --) rest=("${@:2}"); return ;;
      -h | --help) sed -n '2,$ { /^#/!q; s/^# \{0,1\}//p; }' "$0"; exit 0 ;;
      --?*) name=${1#--}; name=${name//-/_} ;;
      *) die "unexpected argument '$1'; see $0 --help" ;;
    esac
    if [[ $names == *" $name! "* ]]; then
      printf -v "$name" yes
      shift
      continue
    fi
    [[ $names == *" $name "* ]] || die "unknown option '$1'; see $0 --help (fairseq-train's go behind --)"
    (($# > 1)) && [[ -n $2 && $2 != --* ]] || die "option '$1' needs a value"
    printf -v "$name" %s "$2"
    shift 2
  done
}

# not_ours OPTION...: what stands behind -- (rest) must not have these, which the recipe sets itself.
not_ours() {
  local option
  for option in "${rest[@]}"; do
    [[ $option != --* || " $* " != *" ${option%%=*} "* ]] ||
      die "${option%%=*} is not for what stands behind --: the recipe sets it itself, see $0 --help"
  done
}

# known_to_fairseq ARGUMENT...: they must be known to fairseq-train, if any stand behind --.
known_to_fairseq() {
  local told
  ((${#rest[@]} == 0)) || told=$(python "$(dirname "${BASH_SOURCE[0]}")/check_arguments.py" "$@" 2>&1) ||
    die "$(sed 's/.*: error: //; s/ (choose from .*//' <<< "${told##*$'\n'}")"
}

# one_of NAME CHOICE...: the named variable must be one of the choices.
one_of() {
  chosen "$1" "${!1}" "${@:2}"
}

# stages_up_to LAST: from `stage` to `stop_stage` there must be some.
stages_up_to() {
  local numbers
  mapfile -t numbers < <(seq "$1")
  one_of stage "${numbers[@]}"
  one_of stop_stage "${numbers[@]}"
  ((${stage:?} <= ${stop_stage:?})) || die "--stage $stage comes after --stop-stage $stop_stage: nothing is left to do"
}

# each_of NAME CHOICE...: the same for several words, with spaces between them.
each_of() {
  local word
  not_blank "$1" "some of ${*:2}"
  for word in ${!1}; do chosen "$1" "$word" "${@:2}"; done
}

# numbers NAME...: the named variables must be positive whole numbers; NAME! may be 0.
numbers() {
  local name value
  for name; do
    value=${name%!}
    whole "$value" "$name" "a whole number" "${!value}"
  done
}

# number_lists NAME...: the same for several numbers, with spaces between them; none at all only where nothing is.
number_lists() {
  local name each values
  for name; do
    values=${name%!}
    [[ -z ${!values} ]] || not_blank "$values" "whole numbers, not blank"
    for each in ${!values}; do whole "${name%!}" "$name" "whole numbers" "$each"; done
  done
}

# growing NAME: each of several numbers must be above the one before.
growing() {
  local each before=-1
  for each in ${!1}; do
    ((each > before)) || die "--${1//_/-} must grow, but $each comes after $before"
    before=$each
  done
}

# decimal NAME: the named variable must be a number above 0, such as 0.001 or 1e-3, or several of them.
decimal() {
  local each
  not_blank "$1" "a number above 0, such as 0.001, not blank"
  for each in ${!1}; do
    [[ $each =~ ^[0-9]*\.?[0-9]+(e-?[0-9]+)?$ && ${each%e*} == *[1-9]* ]] ||
      die "--${1//_/-} must be a number above 0, such as 0.001, not '$each'"
  done
}

# below_one NAME: the named variable must be a number from 0 to below 1, such as 0.1.
below_one() {
  [[ ${!1} =~ ^0(\.[0-9]+)?$ ]] || die "--${1//_/-} must be a number from 0 to below 1, such as 0.1, not '${!1}'"
}

# part_of_name NAME: the named variable, if it is set, becomes a part of a folder's name.
part_of_name() {
  [[ -z ${!1} || ${!1} =~ ^[A-Za-z0-9_.]+$ ]] || die "--${1//_/-} must be letters and digits, not '${!1}'"
}

# not_blank NAME WHAT: the named variable must be more than spaces.
not_blank() {
  [[ ${!1} == *[![:space:]]* ]] || die "--${1//_/-} must be $2"
}

chosen() {
  local choice
  for choice in "${@:3}"; do
    [[ $2 != "$choice" ]] || return 0
  done
  die "--${1//_/-} must be one of ${*:3}, not '$2'"
}

whole() {
  local range="above 0"
  [[ $2 != *! ]] || range="from 0 on"
  [[ $4 =~ ^[1-9][0-9]{0,8}$ || $4$range == "0from 0 on" ]] || die "--${1//_/-} must be $3 $range, not '$4'"
}

# check_row CONF NAME: the folder CONF must have a file for that row of the table.
check_row() {
  [[ $2 != */* && -r $1/$2.conf ]] || die "there is no row '$2', only $(row_names "$1")"
}

# check_rows CONF: each of `rows` must have one, and there must be some.
check_rows() {
  local row
  not_blank rows "some of $(row_names "$1"), not blank"
  for row in ${rows:?}; do check_row "$1" "$row"; done
}

row_names() {
  (cd "$1" && echo *.conf | sed 's/\.conf//g')
}

# read_settings FILE "name name ...": lines of a name and its value set the variables; # begins a comment.
read_settings() {
  local name value
  while read -r name value || [[ -n $name ]]; do  # the last line may have no end
    [[ -n $name && $name != \#* ]] || continue
    [[ " $2 " == *" $name "* ]] || die "$1: unknown setting '$name'"
    printf -v "$name" %s "$value"
  done < "$1"
}
