#!/usr/bin/env bash
# Part-of-speech tagging with vectors of words, characters, or both: Table 3 of Stratos (2017).
#
#   recipes/reconstruction/tagging.sh --data DIR --teacher FILE [option ...] [-- options of alone tagging]
#
# FULL and FULL+EMB have vectors of words, which in FULL+EMB begin as the teacher's; CHAR has characters only, and in
# CHAR(D) these begin as a student that has learnt the teacher's vectors by distance D. One setting serves all: CHAR
# is trained with each --lr, and the one that is best on dev is taken; --grid yes does the paper's search, 5 learning
# rates by 5 dropouts for each system. What is done is not done again: the same command goes on where it was stopped.
# To run it in the background, put nohup before it and > tagging.log 2>&1 & behind it.
#
#   --data DIR           train.*, dev.* and test.*: CoNLL-U, or a word a line, with tabs between word and tags
#   --teacher FILE       vectors of words: the teacher
#   --students "..."     trained students, named D=FILE: "D1=manhattan.pt Dcos=cosine.pt"; subword.sh makes some (none)
#   --systems "..."      FULL, FULL+EMB, CHAR and CHAR(D), which is all students (all)
#   --tag-column N       counted from 1 (CoNLL-U: 5, XPOS; else the last)
#   --lrs "N ..."        learning rates to choose from (0.001 0.002 0.005)
#   --grid yes           the paper's search in place of that (no)
#   --seeds "N ..."      seeds of the training (1)
#   --epochs N           of each training (10)
#   --work DIR           for all that is made (work/tagging)
#
# Example: recipes/reconstruction/tagging.sh --data pos --teacher teacher.vec --students "Dcos=work/student.pt"

# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail

data=
teacher=
students=
systems="FULL FULL+EMB CHAR CHAR(D)"
tag_column=
lrs="0.001 0.002 0.005"
grid=no
seeds=1
epochs=10
work=work/tagging

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipes/lib/options.sh"
parse_options "data teacher students systems tag_column lrs grid seeds epochs work" "$@"
numbers epochs ${tag_column:+tag_column}
one_of grid yes no
read -ra rates <<< "$lrs"
read -ra names <<< "$systems"
read -ra taught <<< "$students"
read -ra seed_list <<< "$seeds"
each_of systems FULL FULL+EMB CHAR 'CHAR(D)'
number_lists seeds
decimal lrs
not_ours --train --dev --test --tag-column --epochs --model --dim --vectors --student --seed --lr --grid --json
[[ -d $data ]] || die "--data '$data': no such folder; see $0 --help"
[[ -r $teacher ]] || die "--teacher '$teacher': not there; see $0 --help"
for one in "${taught[@]}"; do
  [[ $one =~ ^[A-Za-z0-9_]+=. && -r ${one#*=} ]] || die "--students: '$one' must be D=FILE, and the file must be there"
done
twice=$(printf '%s\n' "${taught[@]%%=*}" | sort | uniq -d | head -n 1)
[[ -z $twice ]] || die "--students: $twice stands there twice; each student needs a name of its own"
[[ $systems != 'CHAR(D)' || ${#taught[@]} -gt 0 ]] || die "--systems 'CHAR(D)' needs --students"
stage=1 stop_stage=2
. "$recipes/lib/stages.sh"

sets=()
for set in train dev test; do
  found=("$data/$set".*)
  [[ -r ${found[0]} && ${#found[@]} == 1 ]] || die "$data: must hold one file $set.*"
  sets+=("--$set" "${found[0]}")
done

make_folder "$work"
lock "$work"
settings="epochs $epochs"$'\n'"tag_column $tag_column"$'\n'"lrs $lrs"$'\n'"grid $grid"$'\n'"options ${rest[*]}"
for file in "$teacher" "${sets[1]}" "${sets[3]}" "${sets[5]}"; do
  settings+=$'\n'"${file##*/} $(cksum < "$file")"
done
declare -A kept=(["$work/settings"]=$settings)
for one in "${taught[@]}"; do
  kept["$work/CHAR(${one%%=*}).settings"]="student $(cksum < "${one#*=}")"
done
for file in "${!kept[@]}"; do same_settings "$file" "${kept[$file]}"; done
dim=$(python "$recipes/reconstruction/check_vectors.py" "$teacher" "${taught[@]#*=}") || exit
for file in "${!kept[@]}"; do
  [[ -e $file ]] || keep_settings "$file" "${kept[$file]}"
done

# tag OUTPUT TITLE OPTION...: one training, unless its result is there.
tag() {
  run_stage 1 "$2" "$1" || return 0
  alone tagging "${sets[@]}" ${tag_column:+--tag-column "$tag_column"} --epochs "$epochs" --json \
    "${@:3}" "${rest[@]}" > "$1.tmp"
  publish "$1"
}

setting=(--grid)
chosen=
if [[ $grid == no ]]; then
  choices=()
  for lr in "${rates[@]}"; do
    choices+=("$work/lr-$lr.json")
    tag "${choices[-1]}" "CHAR, learning rate $lr" --model char --dim "$dim" --lr "$lr"
  done
  lr=$(python "$recipes/reconstruction/tagging_table.py" --best "${choices[@]}")
  setting=(--lr "$lr")
  chosen=$work/lr-$lr.json
fi

for seed in "${seed_list[@]}"; do
  for system in "${names[@]}"; do
    case $system in
      FULL) options=(--model full --dim "$dim") ;;
      FULL+EMB) options=(--model full+emb --vectors "$teacher") ;;
      CHAR)
        options=(--model char --dim "$dim")
        if [[ -n $chosen && $seed == 1 && ! -e $work/CHAR-seed1.json ]]; then  # that training has been done
          cp "$chosen" "$work/CHAR-seed1.json.tmp"
          publish "$work/CHAR-seed1.json"
        fi
        ;;
      *)
        for one in "${taught[@]}"; do
          tag "$work/CHAR(${one%%=*})-seed$seed.json" "CHAR(${one%%=*}), seed $seed" \
            --model char --student "${one#*=}" --seed "$seed" "${setting[@]}"
        done
        continue
        ;;
    esac
    tag "$work/$system-seed$seed.json" "$system, seed $seed" "${options[@]}" --seed "$seed" "${setting[@]}"
  done
done
running=2
python "$recipes/reconstruction/tagging_table.py" "$work"/*-seed*.json
