# Drives the engine in the virtual machine and prints what the kernel says. Read by engine-on-v2.test.ts, section by
# section; a section begins with "== NAME".

root=/tmp/skiff
# The bundle, not the launcher: nothing is to be built in here, where building takes a minute.
skiff="node .build/default/skiff.cjs --root $root"
cgroups=/sys/fs/cgroup/skiff

# The one cgroup below the engine's own: the running container's.
container() {
  find "$cgroups" -mindepth 2 -type d | head -n 1
}

# Waits until a command succeeds, for 120 s at most.
patiently() {
  tries=1200
  until "$@" 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "never: $*"; return; }
    sleep 0.1
  done
}

echo "== limits"
$skiff run --rm --memory 64m --pids-limit 20 --cpus 0.5 hostbox sh -c '
  cat /proc/self/cgroup
  cd /sys/fs/cgroup && cat memory.max pids.max cpu.max'
echo "exit $?"

echo "== out of memory"
$skiff run --name hungry --memory 16m hostbox sh -c 'x=a; while :; do x=$x$x; done'
echo "exit $?"
$skiff inspect --format '{{.State.OOMKilled}}' hungry
$skiff rm hungry >/dev/null

echo "== exec"
$skiff run -d --name host --memory 64m hostbox sleep 1000 >/dev/null
$skiff exec host sleep 1000 2>/dev/null &
two_processes() { [ "$(grep -c . "$(container)/cgroup.procs")" -ge 2 ]; }
patiently two_processes
for pid in $(cat "$(container)/cgroup.procs"); do
  tr '\0' ' ' <"/proc/$pid/cmdline"
  echo
done
$skiff rm -f host >/dev/null
wait

echo "== pause"
$skiff run -d --name counter --memory 64m --cpus 0.5 hostbox sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/count; done' >/dev/null
counting() { [ -s "$root"/containers/*/upper/count ]; }
patiently counting
$skiff pause counter
grep frozen "$(container)/cgroup.events"
$skiff ps --format '{{.State}}'
before=$(cat "$root"/containers/*/upper/count)
$skiff exec counter true 2>&1 | sed 's/[0-9a-f]\{64\}/ID/'
[ "$(cat "$root"/containers/*/upper/count)" = "$before" ] && echo 'stands still'
$skiff unpause counter
grep frozen "$(container)/cgroup.events"
$skiff pause counter
$skiff rm -f counter

echo "== docker"
docker -H "unix://$root/run/skiff.sock" run --rm --network none -m 32m hostbox cat /sys/fs/cgroup/memory.max
echo "exit $?"

echo "== fork bomb"
# A shell that may not fork any more ends. Were it the first process, the whole container would end with it, on a slow
# machine before anybody has looked: so the bomb is a child, and the first process stays.
$skiff run -d --name bomb --pids-limit 30 hostbox sh -c '(while :; do sleep 1000 & done); exec sleep 1000' >/dev/null
many_processes() { [ "$(cat "$(container)/pids.current")" -ge 20 ]; }
patiently many_processes
$skiff rm -f bomb
pgrep -fc 'sleep 1000'

# The KiB that projects of a file system are limited to. xfs_quota(8) knows others than xfs too.
limits() {
  echo limits: $(xfs_quota -f -x -c 'report -p -n -N -b' "$1" | awk '$4 > 0 { print $4 }')
}

# A daemon of its own on a file system that counts projects.
limited() {
  name=$1
  shift
  mkdir -p "/tmp/$name"
  truncate -s 512M "/tmp/$name.img"
  "$@" "/tmp/$name.img" >/dev/null
  mount -o loop,prjquota "/tmp/$name.img" "/tmp/$name"
  here="node .build/default/skiff.cjs --root /tmp/$name/skiff"
  fill='dd if=/dev/zero of=/file bs=64k count=512 2>&1 | grep -o "No space left on device\|Disk quota exceeded\|512+0 records out"; rm -f /file; echo free'
  $here info --format '{{.DriverStatus}}'
  $here create --name limited --storage-opt size=8m hostbox sh -c "$fill" >/dev/null
  $here inspect --format '{{.HostConfig.StorageOpt}}' limited
  limits "/tmp/$name"
  $here start -a limited
  $here daemon stop >/dev/null
  echo 'again, under another daemon'
  $here start -a limited
  echo 'beside it, with another'
  $here run --rm --storage-opt size=64m hostbox sh -c "$fill"
  $here rm limited >/dev/null
  $here run --rm --storage-opt size=0 hostbox true 2>&1 | head -n 1
  $here daemon stop >/dev/null
  limits "/tmp/$name"
  quota=$(find "/tmp/$name/skiff/containers" -mindepth 1 | wc -l)
  echo "left: $quota"
  umount "/tmp/$name"
}
echo "== other ids"
# /tmp, for others have to pass through.
echo 'dockremap:231072:65536' | tee /etc/subuid >/etc/subgid
mapped="node .build/default/skiff.cjs --root /tmp/mapped"
export SKIFF_USERNS_REMAP=default
$mapped run --rm --memory 48m --ulimit nofile=8192:8192 hostbox sh -c '
  cat /proc/self/uid_map
  cat /proc/self/cgroup
  cat /sys/fs/cgroup/memory.max
  touch /sys/fs/cgroup/mine 2>&1 | grep -o "Read-only file system"
  ulimit -Hn
  touch /file && stat -c %u /file /etc/passwd'
echo "exit $?"
unset SKIFF_USERNS_REMAP
$mapped daemon stop >/dev/null
find /tmp/mapped/containers -mindepth 1

for module in loop quota_v2 xfs; do busybox modprobe $module; done
limited ext4 mkfs.ext4 -q -F -O quota,project -E quotatype=prjquota >/tmp/ext4.said 2>&1 &
if command -v mkfs.xfs >/dev/null; then limited xfs mkfs.xfs -q -f; else echo 'no mkfs.xfs'; fi >/tmp/xfs.said 2>&1
wait
for kind in ext4 xfs; do
  echo "== size limit on $kind"
  cat "/tmp/$kind.said"
done

echo "== left behind"
# When nothing is left, its parents are gone too.
[ ! -d "$cgroups" ] || find "$cgroups" -mindepth 2 -type d
grep "$root" /proc/mounts
ls "$root/containers"
