#!/bin/sh
# Two containers of one image. The first one writes to a file of the image; what does the second one read?
#
#   break-it.sh                   the image's directory is the root of both: a bind mount for each, as in lab rootfs
#   break-it.sh ./skiff --mine    the same with containers: ./skiff --mine run …
#
# Exit status: 0 when the second one reads what the first one wrote, 1 when it reads what the image holds.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

if [ $# -eq 0 ]; then
  mkdir "$place/image" "$place/one" "$place/two"
  echo "what the image holds" >"$place/image/file"
  said=$(PLACE="$place" unshare --user --map-root-user --mount sh -c '
    mount --bind "$PLACE/image" "$PLACE/one"
    mount --bind "$PLACE/image" "$PLACE/two"
    echo "what the first one wrote" >"$PLACE/one/file"
    cat "$PLACE/two/file"')
else
  "$@" run --rm --network none hostbox sh -c 'echo "what the first one wrote" >/etc/group'
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
