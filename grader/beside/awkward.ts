/** An image that is awkward in each way that its formats know, as a build context that any builder of Dockerfiles takes. */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '#kernel/nodes';
import { setXattr } from '#kernel/xattr';

/** Where all of it is in the image. */
export const TREE = 'awkward';

/** cap_net_bind_service=ep, as the kernel keeps it on a file. capabilities(7), VFS_CAP_REVISION_2. */
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/** Second and third layer: entries that go, directories that are made anew, and kinds that change. All times are set. */
const DOCKERFILE = `FROM hostbox
ADD tree.tar /
RUN cd /${TREE} && rm gone hard/gone && rm -r opaque replaced && mkdir opaque && echo new > opaque/new \\
 && echo file > replaced && rm was-file && mkdir was-file && chmod 604 plain && mv moved moved-away \\
 && touch -d @1000000001 opaque/new replaced plain was-file && touch -d @1000000002 opaque hard . \\
 && touch -d @1000000003 moved-away
RUN rm -r /${TREE}/opaque/new && echo again > /${TREE}/opaque/old && touch -d @1000000004 /${TREE}/opaque/old /${TREE}/opaque
ENV GREETING="good day" EMPTY=
LABEL org.example.title="An awkward \\"image\\"" multi.line="a\\\\nb"
EXPOSE 80/tcp 53/udp
VOLUME /data
STOPSIGNAL SIGUSR1
USER 1000:5
WORKDIR /${TREE}
ENTRYPOINT ["sh", "-c"]
CMD ["id -u; id -g; pwd; echo $GREETING; ls opaque; cat hard/other/second plain; test -e gone || echo gone"]
`;

/** What the image prints when it runs. */
export const PRINTS = `1000\n5\n/${TREE}\ngood day\nold\nlinked\nplain\ngone\n`;

/** Files whose times tell of other years than the build's, as a tar of ASCII. */
export function makeTimes(directory: string): string {
  const root = join(directory, 'times');
  const inside = join(root, TREE, 'times');
  mkdirSync(inside, { recursive: true });
  for (const [name, time] of Object.entries({
    epoch: 0,
    past: 86_399,
    present: 1_700_000_000,
    future: 4_200_000_000,
  })) {
    writeFileSync(join(inside, name), name);
    lutimesSync(join(inside, name), time, time);
  }
  lutimesSync(inside, 1, 1);
  const archive = join(directory, 'times.tar');
  execFileSync('tar', ['--numeric-owner', '-C', root, '-cf', archive, `${TREE}/times`]);
  return archive;
}

/** Make the context in `directory`, which exists. Needs root. */
export function makeAwkwardContext(directory: string): void {
  const root = join(directory, 'tree');
  mkdirSync(root);
  makeTree(join(root, TREE));
  const tar = ['--format=pax', '--sparse', '--numeric-owner', '--sort=name', '--xattrs', '--xattrs-include=*'];
  execFileSync('tar', [...tar, '-C', root, '-cf', join(directory, 'tree.tar'), TREE]);
  execFileSync('rm', ['-r', root]);
  writeFileSync(join(directory, 'Dockerfile'), DOCKERFILE);
}

function makeTree(root: string): void {
  const at = (path: string) => join(root, path);
  const directory = (path: string, mode = 0o755) => {
    mkdirSync(at(path), { recursive: true });
    chmodSync(at(path), mode);
  };
  const file = (path: string, content: string, mode = 0o644) => {
    writeFileSync(at(path), content);
    chmodSync(at(path), mode);
  };
  const own = (path: string, uid: number, gid: number, mode: number) => {
    chownSync(at(path), uid, gid);
    // A new owner takes the bits that lend one's identity.
    chmodSync(at(path), mode);
  };
  for (const path of ['', 'hard/other', 'opaque/deep', 'replaced/by-a-file', 'moved', 'empty']) directory(path);
  directory('sticky', 0o1777);
  directory('private', 0o700);
  for (const [path, content] of Object.entries({ gone: '', 'hard/gone': '', 'opaque/deep/old': '', 'was-file': '' }))
    file(path, content);
  file('moved/file', 'moved\n');
  file('plain', 'plain\n');
  file('hard/first', 'linked\n');
  for (const path of ['hard/other/second', 'third']) linkSync(at('hard/first'), at(path));
  const long = ['l'.repeat(200), 'm'.repeat(120)].join('/');
  directory(long);
  file(`${long}/${'n'.repeat(150)}`, 'long\n');
  for (const name of ['ünïcödé', 'a b', '-dash', 'back\\slash', 'quote\'"', '...', 'wh.file']) file(name, name);
  for (const [path, target] of Object.entries({
    relative: 'hard/first',
    absolute: `/${TREE}/plain`,
    dangling: '../../../../none',
    'to-long': `${long}/${'n'.repeat(150)}`,
  }))
    symlinkSync(target, at(path));
  lchownSync(at('dangling'), 7, 8);
  file('setuid', '#!/bin/sh\n');
  own('setuid', 1000, 5, 0o6755);
  file('nobody', 'x');
  own('nobody', 3_000_000, 4_000_000, 0);
  file('capable', 'x', 0o755);
  setXattr(at('capable'), 'security.capability', CAPABILITY);
  file('noted', 'x');
  setXattr(at('noted'), 'user.note', Buffer.from('a note = with\nall of it'));
  file('sparse', 'begin');
  truncateSync(at('sparse'), 3 * 1024 * 1024);
  mknod(at('null'), S_IFCHR | 0o666, makedev(1, 3));
  mknod(at('disk'), S_IFBLK | 0o660, makedev(7, 300));
  mknod(at('fifo'), S_IFIFO | 0o600, 0n);
  setTimes(root);
}

/** From the epoch to beyond 2038, each directory after what is in it. */
function setTimes(path: string, state = { count: 0 }): void {
  const inside = readdirSync(path, { withFileTypes: true });
  for (const entry of inside) {
    if (entry.isDirectory()) setTimes(join(path, entry.name), state);
    else setTime(join(path, entry.name), state);
  }
  setTime(path, state);
}

function setTime(path: string, state: { count: number }): void {
  const time = (state.count++ * 123_456_789) % 4_200_000_000;
  lutimesSync(path, time, time);
}
