# shellcheck shell=bash
# Several trainings, one after the other, of the run.sh in the folder `recipe`. `own` names the options that are not
# run.sh's, and `taken` those of run.sh that are not for the user, because each training gets its own.
# shellcheck source-path=SCRIPTDIR/.. disable=SC2154,SC2034  # recipe, own, ... : of the script that reads this file

# Options of ours, those of run.sh, and behind -- those of fairseq-train. `partial` tells that run.sh is to stop before
# there is a score for a table.
for_run=() for_us=() for_training=() mine='' partial=''
while (($#)); do
  if [[ $1 == -- ]]; then
    for_training=("${@:2}")
    break
  fi
  if [[ $1 == -* ]]; then  # a name; what follows until the next one is its value
    name=${1#--} mine=''
    name=${name//-/_}
    [[ $1 != -h && " $own help " != *" $name "* ]] || mine=yes
    [[ " $taken " != *" $name "* ]] || die "option '$1' is not for ${0##*/}, which sets it itself; see $0 --help"
    [[ $name != dry_run && ($name != stop_stage || ${2:-} == 8) ]] || partial=yes
  fi
  [[ -n $mine ]] && for_us+=("$1") || for_run+=("$1")
  shift
done
parse_options "$own" "${for_us[@]}"
. "$recipes/lib/stages.sh"

# train_row OPTION... [-- OPTION...]: run.sh with these options, and those that we were given.
train_row() {
  local options=() training=()
  while (($#)); do
    [[ $1 != -- ]] || { training=("${@:2}"); break; }
    options+=("$1")
    shift
  done
  echo "== ${options[*]}"
  "$recipe/run.sh" "${options[@]}" --work "$work" "${for_run[@]}" \
    -- "${training[@]}" "${for_training[@]}" || exit
}
