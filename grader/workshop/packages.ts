/** The Debian packages that the course can use, and what for. None is ever needed to begin. */

import { vmPackages, vmPackagesIfKnown } from '../vm/packages.ts';
import { virtiofsdPlace } from '../vm/tools.ts';

export interface DebianPackage {
  name: string;
  /** Installed already when this program is there. */
  program: string;
  /** Completes "NAME: …". */
  reason: string;
  /** `workshop`: a learner sees the difference. `tests`: only `./workshop test` and the benchmark use it. */
  use: 'workshop' | 'tests';
  /** On some releases it is part of another package, and apt does not know it. */
  ifKnown?: true;
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
  {
    name: 'nftables',
    program: 'nft',
    reason: 'connects containers to the network and publishes ports',
    use: 'workshop',
  },
  { name: 'util-linux', program: 'nsenter', reason: 'looks into the namespaces of a running process', use: 'workshop' },
  { name: 'uidmap', program: 'newuidmap', reason: 'maps more than one user id without root', use: 'workshop' },
  { name: 'tmux', program: 'tmux', reason: 'the tests drive real terminals with it', use: 'tests' },
  { name: 'runc', program: 'runc', reason: 'the benchmark measures against it', use: 'tests' },
  { name: 'podman', program: 'podman', reason: 'drives the runtime, and trades images with the engine', use: 'tests' },
  {
    name: 'netavark',
    program: '/usr/lib/podman/netavark',
    reason: 'gives podman’s containers a network',
    use: 'tests',
  },
  { name: 'iptables', program: 'iptables', reason: 'publishes podman’s ports', use: 'tests' },
  { name: 'buildah', program: 'buildah', reason: 'builds with the runtime', use: 'tests' },
  { name: 'skopeo', program: 'skopeo', reason: 'reads and copies the engine’s images', use: 'tests' },
  { name: 'slirp4netns', program: 'slirp4netns', reason: 'gives a container a network without root', use: 'tests' },
  { name: 'passt', program: 'pasta', reason: 'does the same in another way', use: 'tests' },
  { name: 'libcap2-bin', program: 'setcap', reason: 'gives files capabilities', use: 'tests' },
  { name: 'umoci', program: 'umoci', reason: 'unpacks the same layers, and the tests compare the trees', use: 'tests' },
  { name: 'xfsprogs', program: 'mkfs.xfs', reason: 'makes a file system with quotas of projects', use: 'tests' },
  {
    name: 'qemu-user',
    program: process.arch === 'arm64' ? 'qemu-x86_64' : 'qemu-aarch64',
    reason: 'runs the small programs that are written for the other architecture',
    use: 'tests',
  },
  { name: 'openssl', program: 'openssl', reason: 'makes certificates for the registries of tests', use: 'tests' },
  { name: 'zstd', program: 'zstd', reason: 'compresses layers for the tests', use: 'tests' },
  ...vmPackages
    .filter(({ name }) => name.startsWith('qemu'))
    .map(({ name, reason }) => ({ name, program: 'qemu-system-x86_64', reason, use: 'tests' as const })),
  ...vmPackagesIfKnown.map(({ name, reason }) => ({
    ...{ name, reason, program: virtiofsdPlace() },
    ...{ use: 'tests' as const, ifKnown: true as const },
  })),
];
