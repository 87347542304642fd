#!/bin/sh
# Walk out of a chroot: go into a second root while the working directory stays above it, climb, call that the root.
#
#   break-it.sh                walks out of a directory that chroot(2) made the root: what many take for a container
#   break-it.sh ./skiff        the same walk, inside a container:  ./skiff run …   (or: ./skiff --mine)
#
# Exit status: 0 when it broke out, 1 when it was held, 2 when that could not be tried.
give_up() { echo "$*"; exit 2; }
for word in "$@"; do case $word in --mine*)
  planks=$("$1" "$word" version 2>&1 >/dev/null | grep '^Your planks:')
  echo "$planks"
  case ${planks%%The engine*} in *rootfs*) ;; *) give_up "rootfs is not written yet, or its check is not green: ./workshop check rootfs" ;; esac
esac; done
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
modules=$(CDPATH= cd -- "$here/../../node_modules" && pwd)
node=$(command -v node)
jail=$(mktemp -d)
marker=$(mktemp /tmp/outside.XXXXXX)
trap 'rm -rf "$jail" "$marker"' EXIT

if [ $# -eq 0 ]; then
  JAIL="$jail" NODE_PATH="$modules" node "$here/walk-out.cjs" "$marker"
else
  bin=$(dirname -- "$(readlink -f "$node")")
  lib64=; [ -d /lib64 ] && lib64='-v /lib64:/lib64:ro'
  "$@" run --rm hostbox true || give_up "No container started."
  # shellcheck disable=SC2086
  "$@" run --rm -v "$bin:/node:ro" -v /usr:/usr:ro -v /lib:/lib:ro $lib64 -v "$modules:/modules:ro" -v "$here:/attack:ro" \
    -e NODE_PATH=/modules hostbox /node/node /attack/walk-out.cjs "$marker"
fi
