/** What the virtual machine lane needs of the host, for the user who installs it. */

export interface HostPackage {
  /** Debian's name for it. */
  name: string;
  /** Why the lane needs it, as a learner may read it. */
  reason: string;
}

/** All of them are installed with `--no-install-recommends`: the lane opens no window and plays no sound. */
export const vmPackages: readonly HostPackage[] = [
  { name: 'qemu-system-x86', reason: 'emulates the machine (and, up to Debian 12, brings virtiofsd)' },
  {
    name: 'busybox-static',
    reason: 'is the first program inside the machine, before any file of the host can be seen',
  },
  { name: 'e2fsprogs', reason: 'makes the file system of the machine’s scratch disk (it is on most hosts already)' },
];

/** From Debian 13 and Ubuntu 24.04 on virtiofsd is a package of its own; where apt does not know it, it is not needed. */
export const vmPackagesIfKnown: readonly HostPackage[] = [
  {
    name: 'virtiofsd',
    reason: 'lets the machine read the host’s files, so that Node and this repository are there too',
  },
];

/** Downloaded and unpacked into `.build/vm`, never installed: the host keeps its own kernel. */
export const vmKernelPackage: HostPackage = {
  name: 'linux-image-cloud-amd64',
  reason: 'is a small kernel for virtual machines, with cgroup v2 and every controller',
};
