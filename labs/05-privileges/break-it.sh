#!/bin/sh
# Use a power that no program in a container needs, and then become root by a program that somebody left set-user-id.
#
#   break-it.sh                 in a "container" of namespaces alone: unshare(1)
#   break-it.sh ./skiff         in an engine's:  ./skiff run …, ./skiff exec …   (or: './skiff --mine')
#
# Exit status: 0 when a power was used, 1 when all was held, 2 when that could not be tried.
skiff=$*
root='mkdir -p /tmp/m; mount -t tmpfs stolen /tmp/m && grep stolen /proc/mounts'
if [ $# -eq 0 ]; then
  echo "what root may do in there: $(unshare --user --map-root-user --pid --fork --mount grep CapEff /proc/self/status)"
  unshare --user --map-root-user --pid --fork --mount sh -c "$root" || { echo "This machine has no user namespaces for you."; exit 2; }
  echo "USED A POWER: CAP_SYS_ADMIN, of which nothing had been given up."; exit 0
fi
give_up() { echo "$*"; exit 2; }
case $skiff in *--mine*)
  planks=$($skiff version 2>&1 >/dev/null | grep '^Your planks:')
  echo "$planks"
  case ${planks%%The engine*} in *privileges*) ;; *) give_up "privileges is not written yet, or its check is not green: ./workshop check privileges" ;; esac
esac

name=box$$
trap '$skiff rm -f "$name" "$name-open" >/dev/null 2>&1' EXIT
# A set-user-id su, and a root without a password. User 1000 runs it in there.
setuid='cp /bin/busybox /tmp/su; chmod 4755 /tmp/su; sed -i s/root:x:/root::/ /etc/passwd; echo ready; exec sleep 300'
$skiff run -d --name "$name" --security-opt no-new-privileges hostbox sh -c "$setuid" >/dev/null 2>&1 || give_up "No container started."
$skiff run -d --name "$name-open" hostbox sh -c "$setuid" >/dev/null 2>&1 || give_up "No container started."
for box in "$name" "$name-open"; do until $skiff logs "$box" 2>/dev/null | grep -q ready; do :; done; done
inside() { $skiff exec "$@" 2>/dev/null; }
echo "what root may do in there: $(inside "$name" grep CapEff /proc/self/status)"
inside "$name" sh -c "$root" && { echo "USED A POWER: CAP_SYS_ADMIN."; exit 0; }
escalate() { inside -u 1000 "$1" sh -c "/tmp/su -c 'id -u' 2>&1"; }
echo "user 1000 runs a set-user-id program, without no_new_privs: he is now user $(escalate "$name-open")"
held=$(escalate "$name")
echo "user 1000 runs it with no_new_privs: $held"
case $held in
  0) echo "USED A POWER: user 1000 became root, no_new_privs or not." ;;
  *suid*) echo "HELD: what was given up did not come back."; exit 1 ;;
  *) give_up "That could not be tried." ;;
esac
