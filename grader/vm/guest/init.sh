#!/bin/busybox sh
# Process 1 of the virtual machine, in the initial RAM file system.
# Makes the host's files the root (read-only, with a throw-away layer above them) and hands over to run.sh.

/bin/busybox --install -s /bin
export PATH=/bin

fail() {
  echo "virtual machine: $1" >/dev/console
  poweroff -f
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

while read -r module; do
  insmod "/modules/$module" || fail "the module $module cannot be loaded"
done </modules/order

mount -t virtiofs -o ro host /host || fail "the host's files cannot be mounted"
mount -t ext4 /dev/vda /scratch || fail "the scratch disk cannot be mounted"
mkdir -p /scratch/upper /scratch/work /scratch/tmp /scratch/skiff
chmod 755 /scratch/upper
chmod 1777 /scratch/tmp
mount -t overlay -o lowerdir=/host,upperdir=/scratch/upper,workdir=/scratch/work root /root ||
  fail "the overlay over the host's files cannot be mounted"

# A fresh machine's own file systems, where the host's would be.
mount -t proc -o nosuid,nodev,noexec proc /root/proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /root/sys
mount -t devtmpfs -o nosuid dev /root/dev
mount -t tmpfs -o nosuid,nodev,mode=755 run /root/run
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 shm /root/dev/shm
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /root/sys/fs/cgroup ||
  fail "cgroup v2 cannot be mounted"

# On the disk itself, because an overlay cannot be the upper layer of another one.
mkdir -p /root/var/lib/skiff
directory=$(cat /stage2/directory)
mkdir /directory
mount --bind "/root$directory" /directory
mount --bind /scratch/tmp /root/tmp
mount --bind /scratch/skiff /root/var/lib/skiff
# A directory in the host's /tmp has just been hidden.
mkdir -p "/root$directory"
mount --bind /directory "/root$directory"

mkdir /root/run/vm
cp /bin/busybox /stage2/* /root/run/vm/

# The kernel loads further modules (veth, bridge, …) when they are asked for, by this path.
mkdir -p "/root/lib/modules"
ln -s "$(cat /stage2/kernel-modules)" "/root/lib/modules/$(uname -r)"
ln -s /run/vm/busybox /root/run/vm/modprobe
echo /run/vm/modprobe >/proc/sys/kernel/modprobe

umount /dev /sys /proc
exec switch_root /root /run/vm/busybox sh /run/vm/run.sh
