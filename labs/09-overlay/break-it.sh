#!/bin/sh
# Two containers of one image. The first one writes to a file of the image; what does the second one read?
#
#   break-it.sh                   the image's directory is the root of both: a bind mount for each, as in lab rootfs
#   break-it.sh ./skiff --mine    the same with containers: ./skiff --mine run …
#
# Exit status: 0 when the second one reads what the first one wrote, 1 when it reads what the image holds, 2 when nothing can
# be said: your plank is not written yet, say.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
give_up() { cat "$place/log" >&2; echo "$1"; exit 2; }

if [ $# -eq 0 ]; then
  mkdir "$place/image" "$place/one" "$place/two"
  echo "what the image holds" >"$place/image/file"
  said=$(PLACE="$place" unshare --user --map-root-user --mount sh -c '
    mount --bind "$PLACE/image" "$PLACE/one"
    mount --bind "$PLACE/image" "$PLACE/two"
    echo "what the first one wrote" >"$PLACE/one/file"
    cat "$PLACE/two/file"')
else
  "$@" run --rm --network none hostbox sh -c 'echo "what the first one wrote" >/etc/group' 2>"$place/log" || ran=no
  grep -q 'not written yet' "$place/log" && give_up "Your plank is not written yet: see ./workshop check overlay."
  [ -z "$ran" ] || give_up "The container did not run, so this says nothing about its layers."
  if grep 'Your planks' "$place/log" >&2 && ! grep -q 'Your planks: [^.]*overlay' "$place/log"; then
    give_up "overlay is not written yet, or its check is not green: ./workshop check overlay"
  fi
  said=$("$@" run --rm --network none hostbox head -n 1 /etc/group)
fi

echo "the second one reads: $said"
if [ "$said" = "what the first one wrote" ]; then
  echo "BROKE IN: the first container has changed the image under the second."
  exit 0
fi
[ -n "$said" ] || { echo "The second one did not read anything." >&2; exit 2; }
echo "HELD."
exit 1
