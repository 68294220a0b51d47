# shellcheck shell=bash
# Options of a recipe: --some-name VALUE sets the variable some_name, and no other names are accepted.

die() {
  echo "${0##*/}: error: $*" >&2
  exit 1
}

# parse_options "name name ..." "$@": what stands behind `--` becomes the array `rest`.
# --help prints the comment at the top of the recipe.
parse_options() {
  local names=" $1 " name
  shift
  rest=()
  while (($#)); do
    case $1 in
      --) rest=("${@:2}"); return ;;
      -h | --help) sed -n '2,$ { /^#/!q; s/^# \{0,1\}//p; }' "$0"; exit 0 ;;
      --?*) name=${1#--}; name=${name//-/_} ;;
      *) die "unexpected argument '$1'; see $0 --help" ;;
    esac
    [[ $names == *" $name "* ]] || die "unknown option '$1'; see $0 --help (fairseq-train's go behind --)"
    (($# > 1)) && [[ -n $2 && $2 != --* ]] || die "option '$1' needs a value"
    printf -v "$name" %s "$2"
    shift 2
  done
}

# one_of NAME CHOICE...: the named variable must be one of the choices.
one_of() {
  local choice
  for choice in "${@:2}"; do
    [[ ${!1} != "$choice" ]] || return 0
  done
  die "--${1//_/-} must be one of ${*:2}, not '${!1}'"
}

# numbers NAME...: the named variables must be positive whole numbers.
numbers() {
  local name
  for name; do
    [[ ${!name} =~ ^[1-9][0-9]{0,8}$ ]] || die "--${name//_/-} must be a whole number above 0, not '${!name}'"
  done
}
