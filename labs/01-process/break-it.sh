#!/bin/sh
# Hand a program three things nobody meant to give it: an open file, a password, a signal that it never hears.
#
#   break-it.sh [COMMAND...]   COMMAND starts a program; without one it is `env`: a fork and an exec, and no care.
#   break-it.sh ./skiff --mine run --rm hostbox
#
# Exit status: 0 if something got through, 1 if nothing did, 2 if there is no answer: the plank is not written yet, say.
[ $# -gt 0 ] || set -- env
case $* in *--mine*)
  planks=$("$1" "$2" ps 2>&1 >/dev/null | grep 'Your planks')
  case ${planks%%.*} in *process*) ;; *) echo "NOT WRITTEN YET: process is not among your planks. $planks" >&2; exit 2 ;; esac
esac

file=$(mktemp)
trap 'rm -f "$file"' EXIT
echo 'the captain keeps the key under the mat' >"$file"

# What the starting process happens to be like: a log that is open at 9, a password, SIGPIPE ignored.
# shellcheck disable=SC2016
seen=$(
  exec 9<"$file"
  trap '' PIPE
  PASSWORD=swordfish "$@" sh -c '
    (cat <&9) 2>/dev/null && echo "file"
    [ -z "${PASSWORD-}" ] || echo "password"
    ignored=$(sed -n "s/^SigIgn:[[:space:]]*//p" /proc/$$/status)
    [ $((0x$ignored >> 12 & 1)) = 0 ] || echo "sigpipe"
    echo "end"'
) || { echo "NO ANSWER: the program did not run." >&2; exit 2; }

got=1
case $seen in *file*) got=0; echo "GOT THROUGH: an open file; the program read \"$(echo "$seen" | head -n 1)\"" ;; esac
case $seen in *password*) got=0; echo "GOT THROUGH: the password, in its environment" ;; esac
case $seen in *sigpipe*) got=0; echo "GOT THROUGH: SIGPIPE is ignored; \`yes | head -n 1\` will not end as it should" ;; esac
[ "$got" = 0 ] || echo "HELD: the program got what it was meant to get, and nothing else."
exit "$got"
