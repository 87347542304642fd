#!/bin/sh
# Reach out of a "container" and end a process that does not belong to it.
#
#   break-it.sh [COMMAND...]   COMMAND starts a program; without one it is `env -i`: fork and exec, the lab before.
#   break-it.sh ./skiff --mine run --rm hostbox
#
# Exit status: 0 when it broke out, 1 when it was held, 2 when that could not be tried.
give_up() { echo "$*"; exit 2; }
for word in "$@"; do case $word in --mine*)
  planks=$("$1" "$word" version 2>&1 >/dev/null | grep '^Your planks:')
  echo "$planks"
  case ${planks%%The engine*} in *namespaces*) ;; *) give_up "namespaces is not written yet, or its check is not green: ./workshop check namespaces" ;; esac
esac; done
[ $# -gt 0 ] || set -- env -i PATH="$PATH"

"$@" true || give_up "The command starts no program."
sleep 300 &
bystander=$!
trap 'kill "$bystander" 2>/dev/null' EXIT

echo "a bystander runs outside, with pid $bystander"
echo "inside: hostname is $("$@" hostname), and these are the processes one can see:"
"$@" sh -c 'ls -d /proc/[0-9]*' | wc -l
"$@" sh -c "kill -9 $bystander"

# Gone, or a zombie (state Z) that nobody waited for yet.
case $(sed 's/.*) \(.\) .*/\1/' "/proc/$bystander/stat" 2>/dev/null) in
  '' | Z)
    echo "BROKE OUT: the bystander is dead."
    exit 0
    ;;
esac
echo "HELD: the bystander did not notice."
exit 1
