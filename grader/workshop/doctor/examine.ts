/** Probe this host by doing: every finding is the result of an attempt, none of a version number alone. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import type { Lane } from '../../lab.ts';
import { home } from '../home.ts';
import { probeCgroups } from './cgroup-probe.ts';
import { probeDisk } from './disk-probe.ts';
import type { Finding, KernelAnswer } from './finding.ts';
import { probePrograms, probeSubordinateIds } from './programs.ts';

export interface Examination {
  findings: Finding[];
  /** null: this host has it. Else why not. */
  lanes: Record<Lane, string | null>;
}

const TITLES: Record<string, string> = {
  fork: 'fork in Node (clone3)',
  mnt: 'mount namespace',
  pid: 'PID namespace',
  uts: 'UTS namespace',
  ipc: 'IPC namespace',
  net: 'network namespace',
  cgroup: 'cgroup namespace',
  user: 'user namespace of an ordinary user',
  proc: 'mounting /proc in a new PID namespace',
  overlay: 'overlay mount',
  seccomp: 'seccomp filters',
};

/** What each lane stands on. Kernel adds the limits, and with them root or a delegated cgroup. */
const ROOTLESS = ['node', 'koffi', 'fork', 'mnt', 'pid', 'uts', 'ipc', 'net', 'cgroup', 'proc'];
const KERNEL = [...ROOTLESS, 'overlay', 'disk', 'seccomp', 'cgroup-limits'];

export function examine(): Examination {
  const findings = [probeNode(), ...(process.platform === 'linux' ? probeLinux() : [notLinux()]), ...probePrograms()];
  const lacking = (ids: string[]) => {
    const gaps = findings.filter((finding) => ids.includes(finding.id) && finding.status !== 'ok');
    if (process.platform !== 'linux') return `this is ${process.platform}, and containers are Linux`;
    return gaps.length === 0 ? null : `${listed(gaps.map((finding) => finding.title))} cannot be had here`;
  };
  return { findings, lanes: { pure: lackingPure(findings), rootless: lacking(ROOTLESS), kernel: lacking(KERNEL) } };
}

function listed(titles: string[]): string {
  const shown = titles.slice(0, 2).join(', ');
  return titles.length > 2 ? `${shown} and ${titles.length - 2} more` : shown;
}

function lackingPure(findings: Finding[]): string | null {
  return findings.some((finding) => finding.id === 'node' && finding.status !== 'ok') ? 'Node.js is too old' : null;
}

function probeNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const good = major > 20 || (major === 20 && minor >= 19);
  return {
    id: 'node',
    title: 'Node.js',
    status: good ? 'ok' : 'missing',
    detail: `${process.versions.node} on ${process.arch}`,
    ...(good ? {} : { fix: 'Install version 20.19 or newer: https://nodejs.org/en/download' }),
  };
}

function notLinux(): Finding {
  return {
    id: 'linux',
    title: 'Linux',
    status: 'missing',
    detail: `this is ${process.platform}`,
    fix: 'The pure labs work here. For the others use a Linux machine, a virtual machine, or a privileged devcontainer.',
  };
}

function probeLinux(): Finding[] {
  const answers = askKernel();
  const kernel = Object.entries(TITLES).map(([id, title]) => kernelFinding(id, title, answers));
  return [probeKoffi(), ...kernel, probeDisk(), probeCgroups(), probeSubordinateIds()];
}

/** In a child: a native module that does not fit this host takes its process down. */
function probeKoffi(): Finding {
  const finding = { id: 'koffi', title: 'koffi, the way to system calls' };
  const script =
    "const libc = require('koffi').load('libc.so.6'); process.exit(libc.func('int getpid()')() === process.pid ? 0 : 1)";
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', script], {
    cwd: home,
    encoding: 'utf8',
  });
  if (status === 0) return { ...finding, status: 'ok', detail: 'loads, and getpid() answers' };
  const why = signal ?? stderr.split('\n').find((line) => /Error|error/.test(line)) ?? `exit ${status}`;
  return {
    ...finding,
    status: 'missing',
    detail: why.trim(),
    fix: 'rm -rf node_modules, then run ./workshop again. Alpine (musl) is not supported.',
  };
}

function askKernel(): Map<string, string | null> {
  const child = spawnSync(
    process.execPath,
    ['--single-threaded', '--v8-pool-size=0', process.argv[1] ?? '', 'probe-kernel'],
    { encoding: 'utf8', timeout: 30_000 },
  );
  const answers = new Map<string, string | null>();
  for (const line of child.stdout.split('\n').filter(Boolean)) {
    const answer = JSON.parse(line) as KernelAnswer;
    answers.set(answer.id, answer.error);
  }
  const silent = Object.keys(TITLES).find((id) => !answers.has(id));
  if (silent !== undefined)
    answers.set(
      silent,
      `the probe ended with ${child.signal ?? `exit ${child.status}`}: ${child.stderr.trim().split('\n').at(-1)}`,
    );
  return answers;
}

function kernelFinding(id: string, title: string, answers: Map<string, string | null>): Finding {
  const error = answers.get(id);
  if (error === null) return { id, title, status: 'ok', detail: 'made' };
  const detail = error ?? 'not tried, because the probe before it ended';
  const fix = fixFor(id, detail);
  // A user namespace is what the rootless lane stands on, and root has no need of it.
  const status = id === 'user' && process.getuid?.() === 0 ? 'absent' : 'missing';
  return { id, title, status, detail, ...(fix === undefined ? {} : { fix }) };
}

function fixFor(id: string, error: string): string | undefined {
  const root = process.getuid?.() === 0;
  if (root && id !== 'user' && error.startsWith('clone3')) {
    return 'This is root without CAP_SYS_ADMIN: in a container, start it with --privileged.';
  }
  if (id === 'user' || (!root && id in TITLES && id !== 'fork' && id !== 'seccomp')) return fixForUserNamespaces();
  if (id === 'proc')
    return 'A container hides parts of /proc: start it with --privileged, or with --security-opt systempaths=unconfined.';
  if (id === 'overlay')
    return 'modprobe overlay. In a container: --privileged, and a state folder that is not itself on an overlay.';
  if (id === 'seccomp') return 'The kernel was built without CONFIG_SECCOMP_FILTER; use a distribution kernel.';
  return undefined;
}

/** The three switches that distributions have put in front of user namespaces. */
function fixForUserNamespaces(): string {
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'AppArmor restricts them (Ubuntu 23.10 and newer): sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0';
  }
  if (sysctl('kernel/unprivileged_userns_clone') === '0') return 'sudo sysctl -w kernel.unprivileged_userns_clone=1';
  if (sysctl('user/max_user_namespaces') === '0') return 'sudo sysctl -w user.max_user_namespaces=15000';
  return 'In a container: start it with --privileged or --security-opt seccomp=unconfined. Or use root: sudo ./workshop …';
}

function sysctl(name: string): string | undefined {
  try {
    return fs.readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
