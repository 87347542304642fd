import type { Mount, Spec } from '../../engine/runtime/spec.ts';
import { SANDBOX_CAPABILITIES, sandboxFilter } from './sandbox-limits.ts';
import type { SessionPaths } from './session-paths.ts';

const MEMORY = 512 << 20;
/** Also those that ended and that nobody waited for: the subject is their first process, and reaps only its own. */
const PROCESSES = 1024;
/** One core: half of it is often all there is. */
const CPU = { quota: 100_000, period: 100_000 };
/** Seconds of one core. A subject that nobody ends, ends by itself. */
const SUBJECT_LIMITS = [{ type: 'RLIMIT_CPU', soft: 120, hard: 120 }];
const NOBODY = 65534;
/** Where the compiler works; stack traces begin with it. */
export const COURSE = '/course';
/** Without root there is no cgroup that would bound its memory. Bytes of addresses, of which Go reserves plenty; of a file. */
const COMPILER_LIMITS = [
  { type: 'RLIMIT_CPU', soft: 10, hard: 10 },
  { type: 'RLIMIT_AS', soft: 2 ** 31, hard: 2 ** 31 },
  { type: 'RLIMIT_FSIZE', soft: 2 ** 25, hard: 2 ** 25 },
];

export type SubjectUser = 'root' | 'nobody';

export interface SandboxRequest {
  paths: SessionPaths;
  slot: number;
  ids: { first: number; size: number };
  user: SubjectUser;
  /** Where it is not set, a set-user-id program can still only make somebody of these ids: the machine's own are not among them. */
  noNewPrivileges: boolean;
  /** Compile, by this command, instead of running a subject: with no programs, no /proc, no capabilities. */
  compiler?: string[];
  /** Its own control groups, at /sys/fs/cgroup. */
  showCgroups: boolean;
  /** Absent where cgroups cannot be made: without root. */
  cgroupsPath: string | undefined;
}

/**
 * What a submission runs in. It may do as it likes with namespaces and mounts of its own, so /proc and /sys are not
 * masked and root has the capabilities for it: those of a user namespace that owns nothing of this machine.
 */
export function sandboxSpec(request: SandboxRequest): Spec {
  const { paths, slot, ids, user, noNewPrivileges, showCgroups, cgroupsPath } = request;
  const mapping = [{ containerID: 0, hostID: ids.first, size: ids.size }];
  const id = user === 'root' ? 0 : NOBODY;
  const capabilities = user === 'root' && request.compiler === undefined ? [...SANDBOX_CAPABILITIES] : [];
  return {
    ociVersion: '1.2.0',
    hostname: 'sandbox',
    root: { path: request.compiler === undefined ? paths.root : paths.compilerRoot, readonly: true },
    process: {
      cwd: request.compiler === undefined ? '/' : COURSE,
      args: request.compiler ?? [
        '/skiff/node',
        ...['--single-threaded', '--v8-pool-size=0', '--enable-source-maps'],
        ...['/skiff/subject.cjs', '/slot', '/skiff/rootfs'],
      ],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/tmp', 'TMPDIR=/tmp'],
      user: { uid: id, gid: id },
      noNewPrivileges,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      rlimits: [
        ...(request.compiler === undefined ? SUBJECT_LIMITS : COMPILER_LIMITS),
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      ],
      oomScoreAdj: 500,
    },
    mounts:
      request.compiler === undefined
        ? [...mounts(paths.slot(slot)), ...(showCgroups ? [CGROUPS] : [])]
        : [
            DEV,
            {
              destination: `${COURSE}/labs`,
              source: paths.slot(slot),
              options: ['rbind', 'nosuid', 'nodev', 'noexec'],
            },
          ],
    linux: {
      namespaces: (['user', 'pid', 'mount', 'ipc', 'uts', 'network', 'cgroup'] as const).map((type) => ({ type })),
      uidMappings: mapping,
      gidMappings: mapping,
      cgroupsPath,
      // A user without capabilities may still make a user namespace, and in it needs the same calls.
      seccomp: sandboxFilter(request.compiler === undefined ? SANDBOX_CAPABILITIES : []),
      resources: { memory: { limit: MEMORY }, pids: { limit: PROCESSES }, cpu: CPU },
    },
  };
}

const CGROUPS: Mount = {
  destination: '/sys/fs/cgroup',
  type: 'cgroup',
  source: 'cgroup',
  options: ['nosuid', 'nodev', 'noexec'],
};

const DEV: Mount = { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] };

function mounts(slot: string): Mount[] {
  const options = ['nosuid', 'nodev', 'noexec'];
  return [
    // Not read-only: a container inside could only have a read-only one then. Their files belong to the machine's root.
    { destination: '/proc', type: 'proc', source: 'proc', options },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options },
    DEV,
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
    },
    { destination: '/dev/shm', type: 'tmpfs', source: 'tmpfs', options: [...options, 'mode=1777', 'size=16m'] },
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=1777', 'size=32m'] },
    { destination: '/slot', source: slot, options: ['rbind', 'nosuid'] },
  ];
}
