#!/bin/sh
# Enter a running container with a second process, and see how much of the container that process is really in.
#
#   break-it.sh                 enters as many scripts do: with nsenter, by the namespaces one happens to think of
#   break-it.sh ./skiff         by the exec of an engine: ./skiff exec …   (or: './skiff --mine')
#
# Exit status: 0 if the guest was still outside, 1 if it was in, 2 if there is no answer: the plank is not written yet, say.
skiff=$* out=
trap '[ -z "${box-}" ] || kill "$box" 2>/dev/null; [ -z "${name-}" ] || $skiff rm -f "$name" >/dev/null' EXIT
if [ $# -eq 0 ]; then
  unshare --user --map-root-user --pid --fork --mount-proc --uts --ipc --net sleep 300 &
  until box=$(pgrep -P $! -x sleep); do :; done
  nsenter --user --preserve-credentials --pid --uts --target "$box" sleep 31.5 &
  client=$!
  until guest=$(pgrep -P $client -x sleep); do :; done
else
  case $* in *--mine*)
    planks=$($skiff ps 2>&1 >/dev/null | grep 'Your planks')
    case ${planks%%.*} in *exec*) ;; *) echo "NOT WRITTEN YET: exec is not among your planks. ${planks}" >&2; exit 2 ;; esac
  esac
  name=box$$
  # shellcheck disable=SC2086
  $skiff run -d --name "$name" hostbox sleep 300 >/dev/null || exit 2
  box=$($skiff inspect -f '{{.State.Pid}}' "$name")
  $skiff exec "$name" sleep 31.5 &
  client=$!
  until guest=$($skiff top "$name" | awk '/sleep 31.5/ { print $2 }') && [ -n "$guest" ]; do
    kill -0 $client 2>/dev/null || { echo "NO ANSWER: exec failed. If it is not written yet, write it first." >&2; exit 2; }
  done
fi
for kind in cgroup ipc mnt net pid user uts; do
  [ "$(readlink "/proc/$guest/ns/$kind")" = "$(readlink "/proc/$box/ns/$kind")" ] || out="$out $kind"
done
[ -z "$out" ] || { echo "GOT OUT: the guest shares these with the host, not with the container:$out"; kill "$guest"; exit 0; }
[ "$(cat "/proc/$guest/cgroup")" = "$(cat "/proc/$box/cgroup")" ] || { echo "GOT OUT: no limit of the container holds for the guest."; exit 0; }
kill -9 $client
wait $client 2>/dev/null
[ -e "/proc/$guest" ] || { echo "LOST: the guest died with the client that had asked for it."; exit 0; }
echo "HELD: the guest is in all of the container, and does not need whoever brought it."
exit 1
