/** What every hostbox has beside its programs: the directories, accounts and texts that programs expect to find. */

import type { ArchiveEntry } from './archive.ts';

const SAILOR = 1000;
const NOBODY = 65534;

/** Permissions where they are not 0755; `usr` merged: /bin and the like are links into /usr. */
const DIRECTORIES: Record<string, { mode?: number; uid?: number; gid?: number }> = {
  '': {},
  dev: {},
  etc: {},
  home: {},
  'home/sailor': { mode: 0o750, uid: SAILOR, gid: SAILOR },
  mnt: {},
  opt: {},
  proc: { mode: 0o555 },
  root: { mode: 0o700 },
  run: {},
  srv: {},
  sys: { mode: 0o555 },
  tmp: { mode: 0o1777 },
  usr: {},
  'usr/bin': {},
  'usr/lib': {},
  'usr/lib64': {},
  'usr/local': {},
  'usr/local/bin': {},
  'usr/local/sbin': {},
  'usr/sbin': {},
  'usr/share': {},
  var: {},
  'var/log': {},
  'var/tmp': { mode: 0o1777 },
};

const MERGED = ['bin', 'sbin', 'lib', 'lib64'];

const HELLO = `#!/bin/sh
cat <<'TEXT'

  Ahoy from inside a container!

        |\\
        | \\
        |  \\        Nothing here was downloaded: this image is made of
        |___\\       files that your own machine had all along.
     \\--|-----/
  ~~~ \\______/ ~~~  ~~~~  ~~~   ~~~~~

To print this, the engine
  1. found the image hostbox:latest in its store, or built it,
  2. laid a fresh writable layer over the image's read-only one,
  3. asked the kernel for new namespaces and started /bin/hello in them as process 1.

Look around in it:       skiff run -it hostbox sh
See that it is alone:    skiff run hostbox ps
TEXT
`;

const FILES: Record<string, { content: string; mode?: number }> = {
  'etc/group': {
    content: ['root:x:0:', 'tty:x:5:', `sailor:x:${SAILOR}:`, `nogroup:x:${NOBODY}:`, ''].join('\n'),
  },
  // Empty: a container gets its own bound over them, which must also work where the root is read-only.
  'etc/hostname': { content: '' },
  'etc/hosts': { content: '' },
  'etc/resolv.conf': { content: '' },
  'etc/nsswitch.conf': { content: 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' },
  'etc/os-release': {
    content: 'NAME="hostbox"\nID=hostbox\nPRETTY_NAME="hostbox, made of this machine\'s own files"\n',
  },
  'etc/passwd': {
    content: [
      'root:x:0:0:root:/root:/bin/sh',
      `sailor:x:${SAILOR}:${SAILOR}:an ordinary user:/home/sailor:/bin/sh`,
      `nobody:x:${NOBODY}:${NOBODY}:nobody:/nonexistent:/bin/false`,
      '',
    ].join('\n'),
  },
  'etc/shadow': { content: 'root:*:::::::\nsailor:*:::::::\nnobody:*:::::::\n', mode: 0o600 },
  'etc/shells': { content: '/bin/sh\n' },
  'usr/bin/hello': { content: HELLO, mode: 0o755 },
};

export function hostboxSkeleton(mtime: Date): ArchiveEntry[] {
  return [
    ...Object.entries(DIRECTORIES).map(
      ([path, options]): ArchiveEntry => ({ type: 'directory', path, mode: 0o755, mtime, ...options }),
    ),
    ...MERGED.map((path): ArchiveEntry => ({ type: 'symlink', path, target: `usr/${path}`, mode: 0o777, mtime })),
    ...Object.entries(FILES).map(([path, file]): ArchiveEntry => ({ type: 'file', path, mode: 0o644, mtime, ...file })),
  ];
}

/** Where `path` (relative) is once /bin, /sbin, /lib and /lib64 are links into /usr. */
export function merged(path: string): string {
  return MERGED.some((name) => path.startsWith(`${name}/`)) ? `usr/${path}` : path;
}
