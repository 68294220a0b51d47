# shellcheck shell=bash disable=SC2154  # the variables of the recipe that reads this file
# Training and scoring of students: what figure3.sh, subword.sh and global_loss.sh share.
# A student has a folder under the work folder. One that is done is not done again, and one that another process is at
# is left to it: the same command may run several times side by side, and --jobs does so by itself.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cased=()
[[ $case != lower ]] || cased=(--lower-case)

# choose_teacher SETTINGS [OPTION...]: stage 1, the words that all students learn. SETTINGS must not change in a work
# folder; the OPTIONs are those that the recipe sets itself, beside those that all recipes do.
choose_teacher() {
  local settings set
  [[ -r $vectors ]] || die "--vectors '$vectors': not there; see $0 --help"
  [[ -d $pairs ]] || die "--pairs '$pairs': no such folder; see $0 --help"
  [[ -n $(ls "$pairs") ]] || die "--pairs '$pairs': no files in it"
  not_ours --user-dir --task --criterion --teacher --words --arch --student --distance --global-loss --seed --max-epoch \
    --max-update --save-dir --save-interval --no-save --no-epoch-checkpoints --no-last-checkpoints \
    --no-save-optimizer-state --restore-file --cpu --log-format --log-interval "${@:2}"
  known_to_fairseq --task embedding_reconstruction --criterion embedding_reconstruction --arch student_alone \
    --teacher "$vectors" "${rest[@]}"
  settings="words $words"$'\n'"case $case"$'\n'"vectors $(cksum < "$vectors")"$'\n'"$1"
  pairs_sum=$(for set in "$pairs"/*; do echo "${set##*/} $(cksum < "$set")"; done)
  make_folder "$work"
  lock "$work"
  teacher=$work/teacher/teacher.npz
  [[ -e $work/settings || ! -e $work/teacher ]] || die "$work: its settings are not there; choose another --work"
  same_settings "$work/settings" "$settings"
  python "$here/check_sets.py" "$pairs" ${questions:+"$questions"} || exit
  if run_stage 1 "choose words" "$work/teacher"; then
    scratch "$work/teacher"
    python "$here/choose_words.py" "$vectors" "$work/teacher.tmp" "$words" "$case"
    keep_settings "$work/settings" "$settings"
    publish "$work/teacher"
  fi
  unlock
}

# side_by_side JOBS FUNCTION: call the function in several processes; each takes the students that are left.
side_by_side() {
  local job failed=0 processes=() user_dir device=(--cpu)
  user_dir=$(alone user-dir)
  if python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    device=(--distributed-world-size 1)
  fi
  trap 'kill "${processes[@]}" 2> /dev/null; exit 143' TERM  # a shell that ends leaves its jobs running
  for ((job = 0; job < $1; job++)); do
    "$2" &
    processes+=($!)
  done
  for job in "${processes[@]}"; do
    wait "$job" || failed=1
  done
  trap - TERM
  ((!failed)) || die "a student failed, see above; the same command takes it up again"
}

# train_grid: stage 2, all students that the recipe's function `grid` goes through.
train_grid() {
  in_stage 2 || return 0
  need 1 "$work/teacher"
  side_by_side "$jobs" grid
}

# student NAME "EPOCHS ..." ARGUMENT...: train for so many epochs in all, growing, and score after each; 0 is what the
# seed has made.
#   NAME/train.log, NAME/NAME-epoch-N.safetensors the student, NAME/epoch-N.json what it reaches on the sets of pairs
#   that NAME/epoch-N.pairs tells: on others, than which the table takes no scores, it is scored again
student() {
  local run=$work/$1 number lock small scored
  kill -0 $$ 2> /dev/null || exit  # the recipe has been killed
  mkdir -p "$run"
  exec {lock}>> "$run/.lock"
  # One lock for all epochs: had another process taken later ones between two of ours, there would be no way back.
  if flock --nonblock "$lock"; then
    for number in $2; do
      scored=$run/epoch-$number.pairs
      [[ ! -e $run/epoch-$number.json || ! -e $scored || $(< "$scored") != "$pairs_sum" ]] || continue
      echo "$(date +%H:%M) $1, $number epochs"
      small=$run/$1-epoch-$number.safetensors
      [[ -e $small ]] || train_student "$run" "$number" "${@:3}"
      rm -f "$scored"  # until all of the new scores are there
      python "$here/score.py" "$run/checkpoints/checkpoint_last.pt" "$small" "$run/epoch-$number" "$teacher" \
        "$case" "$pairs"/*
      keep_settings "$scored" "$pairs_sum"
      ((number)) || rm -rf "$run/checkpoints"
    done
  else
    echo "$1: another process is at it"
  fi
  exec {lock}>&-
}

# train_student FOLDER EPOCHS ARGUMENT...: on from the checkpoint that is there.
train_student() {
  local run=$1 epochs=$2 every=$(($2 / 10)) length before=0
  [[ ! -e $run/epochs ]] || before=$(< "$run/epochs")
  ((before <= epochs || epochs == 0)) || die "$run has been trained for $before epochs, and there is no way back to" \
    "$epochs; choose another --work"
  if ((epochs)); then
    # At least ten times on the way, for what a kill may cost. fairseq saves nothing after the last epoch unless it is
    # one of those to be saved.
    ((every = every < 1 ? 1 : every > 50 ? 50 : every))
    while ((epochs % every)); do ((every--)); done
    length=(--max-epoch "$epochs" --save-interval "$every")
    echo "$epochs" > "$run/epochs"
  else
    # fairseq takes 0 for no limit. A step with a learning rate of 0 leaves everything as it was.
    length=(--max-update 1 --lr 0)
  fi
  setpriv --pdeathsig TERM fairseq-train --user-dir "$user_dir" --teacher "$teacher" --task embedding_reconstruction \
    --criterion embedding_reconstruction "${@:3}" "${rest[@]}" "${length[@]}" "${device[@]}" \
    --disable-validation --save-dir "$run/checkpoints" --no-epoch-checkpoints \
    --log-format simple --log-interval 1000 >> "$run/train.log" 2>&1 || die "training failed, see $run/train.log"
}

# show_neighbours "WORD ..." STUDENT...: of those words that the teacher has, beside the teacher's; of students that
# are done.
show_neighbours() {
  local word file found=() files=()
  for file in "${@:2}"; do
    [[ ! -e $file ]] || files+=("$file")
  done
  for word in $1; do
    if grep --quiet --line-regexp --fixed-strings "$word" "$work/teacher/words"; then
      found+=("$word")
    else
      echo "$word: not among the words that are learnt"
    fi
  done
  if ((${#found[@]} && ${#files[@]})); then
    echo
    alone neighbours "${found[@]}" --vectors "$teacher" "${files[@]}" "${cased[@]}"
  fi
}
