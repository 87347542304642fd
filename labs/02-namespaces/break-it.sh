#!/bin/sh
# Reach out of a "container" and end a process that does not belong to it.
#
#   break-it.sh [COMMAND...]   COMMAND starts a program; without one it is `env -i`: fork and exec, the lab before.
#   break-it.sh ./skiff --mine run --rm hostbox
#
# Exit status: 0 when it broke out, 1 when it was held.
[ $# -gt 0 ] || set -- env -i PATH="$PATH"

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
