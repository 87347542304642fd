#!/bin/sh
# Use a power that no program in a container needs, and then become root by a program that somebody left set-user-id.
#
#   break-it.sh                 in a "container" of namespaces alone: unshare(1)
#   break-it.sh ./skiff         in an engine's:  ./skiff run …, ./skiff exec …   (or: './skiff --mine')
#
# Exit status: 0 when a power could be used that should have been given up, 1 when all was held.
skiff=$*
root='mkdir -p /tmp/m; mount -t tmpfs stolen /tmp/m && grep stolen /proc/mounts'

if [ $# -eq 0 ]; then
  echo "what root may do in there: $(unshare --user --map-root-user --pid --fork --mount grep CapEff /proc/self/status)"
  unshare --user --map-root-user --pid --fork --mount sh -c "$root" || { echo "HELD: this machine has no user namespaces for you."; exit 1; }
  echo "USED A POWER: CAP_SYS_ADMIN, of which nothing had been given up."
  exit 0
fi

name=box$$
trap '$skiff rm -f "$name" "$name-open" >/dev/null 2>&1' EXIT
# A set-user-id su, and a root without a password. Who runs it in there is user 1000.
setuid='cp /bin/busybox /tmp/su; chmod 4755 /tmp/su; sed -i s/root:x:/root::/ /etc/passwd; echo ready; exec sleep 300'
# shellcheck disable=SC2086
$skiff run -d --name "$name" --security-opt no-new-privileges hostbox sh -c "$setuid" >/dev/null || exit 2
$skiff run -d --name "$name-open" hostbox sh -c "$setuid" >/dev/null || exit 2
for box in "$name" "$name-open"; do
  until $skiff logs "$box" | grep -q ready; do :; done
done

echo "what root may do in there: $($skiff exec "$name" grep CapEff /proc/self/status)"
$skiff exec "$name" sh -c "$root" && { echo "USED A POWER: CAP_SYS_ADMIN."; exit 0; }
escalate() { $skiff exec -u 1000 "$1" /tmp/su -c 'id -u' 2>&1; }
echo "user 1000 runs a set-user-id program, without no_new_privs: he is now user $(escalate "$name-open")"
[ "$(escalate "$name")" != 0 ] || { echo "USED A POWER: user 1000 became root, no_new_privs or not."; exit 0; }
echo "user 1000 runs it with no_new_privs: $(escalate "$name")"
echo "HELD: what was given up did not come back."
exit 1
