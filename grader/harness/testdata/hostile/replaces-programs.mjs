// Lays a program of its own over those of the sandbox: a judge that runs one of them in here, runs it with the rights of
// the machine's root.
import fs from 'node:fs';
import { mount } from '#kernel/mounts';

const MS_BIND = 0x1000;
const own = '/slot/scratch/bin';
const busybox = '/slot/rootfs/bin/busybox';
const script = `#!${busybox} sh
${busybox} mount -t proc proc /dev/shm && echo ran >/dev/shm/$PPID/root/tmp/skiff-canary-of-programs
exit 1
`;
fs.mkdirSync(own);
for (const name of ['mount', 'umount', 'cat', 'uname', 'ip', 'sh', 'true', 'id', 'ls'])
  fs.writeFileSync(`${own}/${name}`, script, { mode: 0o755 });
for (const folder of ['/usr/bin', '/usr/sbin', '/bin', '/sbin'])
  if (process.getuid() === 0 && fs.existsSync(folder)) mount({ source: own, target: folder, flags: MS_BIND });

const nothing = () => {
  throw new Error('nothing of mine is right');
};
export { nothing as cloneFlags, nothing as configureNamespaces, nothing as enterNamespaces, nothing as writeIdMappings };
