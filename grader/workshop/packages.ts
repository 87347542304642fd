/** The Debian packages that the course can use, and what for. None is ever needed to begin. */

import { vmPackages } from '../vm/packages.ts';

export interface DebianPackage {
  name: string;
  /** Installed already when this program is there. */
  program: string;
  /** Completes "NAME: …". */
  reason: string;
  /** `workshop`: a learner sees the difference. `tests`: only `./workshop test` and the benchmark use it. */
  use: 'workshop' | 'tests';
}

export const packages: readonly DebianPackage[] = [
  { name: 'git', program: 'git', reason: 'shows differences, and keeps your work before a reset', use: 'workshop' },
  {
    name: 'busybox-static',
    program: 'busybox',
    reason: 'becomes the small image that your first containers run',
    use: 'workshop',
  },
  { name: 'iproute2', program: 'ip', reason: 'shows network namespaces and links from outside', use: 'workshop' },
  { name: 'util-linux', program: 'nsenter', reason: 'looks into the namespaces of a running process', use: 'workshop' },
  { name: 'uidmap', program: 'newuidmap', reason: 'maps more than one user id without root', use: 'workshop' },
  { name: 'tmux', program: 'tmux', reason: 'the tests drive real terminals with it', use: 'tests' },
  { name: 'runc', program: 'runc', reason: 'the benchmark measures against it', use: 'tests' },
  { name: 'umoci', program: 'umoci', reason: 'unpacks the same layers, and the tests compare the trees', use: 'tests' },
  { name: 'zstd', program: 'zstd', reason: 'compresses layers for the tests', use: 'tests' },
  ...vmPackages
    .filter(({ name }) => name.startsWith('qemu'))
    .map(({ name, reason }) => ({ name, program: 'qemu-system-x86_64', reason, use: 'tests' as const })),
];
