/**
 * Give a part of the sandbox's own control groups to the subject: it may make groups in there and move its processes, but
 * not touch the limits of the sandbox itself. Kernel documentation, admin-guide/cgroup-v2, "Delegation"; cgroups(7).
 */

import fs from 'node:fs';
import path from 'node:path';
import { cgroupVersion, mountedHierarchies } from '../../engine/runtime/cgroups/detect.ts';
import { pidsIn, writeValue } from '../../engine/runtime/cgroups/files.ts';
import { unsupported } from './outcome-errors.ts';
import type { Subject } from './suite.ts';

/** One directory that was given away, in the tree of one or more controllers. */
export interface DelegatedTree {
  /** On version 2 those that it hands on. */
  controllers: string[];
  /** As the subject sees it, and as the judge does. */
  inside: string;
  outside: string;
}

export interface Delegated {
  version: 1 | 2;
  trees: DelegatedTree[];
}

const GIVEN = 'given';
const CONTROLLERS = ['memory', 'cpu', 'cpuacct', 'pids', 'freezer'];

/** @param subject was opened with `cgroups`. Asked again it answers the same. */
export function delegateCgroups(subject: Pick<Subject, 'pid'>): Delegated {
  const hierarchies = mountedHierarchies();
  const version = cgroupVersion(hierarchies) ?? unsupported('This machine has no control groups.');
  const owner = fs.statSync(`/proc/${subject.pid}`).uid;
  if (version === 2) return { version, trees: [delegateV2(hierarchies.v2!.mountPoint, subject.pid, owner)] };
  const trees = hierarchies.v1
    .filter(({ controllers }) => controllers.some((name) => CONTROLLERS.includes(name)))
    .map(({ mountPoint, controllers }) => {
      const own = path.join(mountPoint, groupOf(subject.pid, controllers[0]!));
      const outside = path.join(own, GIVEN);
      fs.mkdirSync(outside, { recursive: true });
      giveAway(owner, [outside, path.join(outside, 'cgroup.procs'), path.join(outside, 'tasks')]);
      return { controllers, outside, inside: path.join('/sys/fs/cgroup', path.basename(mountPoint), GIVEN) };
    });
  return { version, trees };
}

/** Processes sit in the leaves, so the sandbox's own move into one. "No Internal Process Constraint". */
function delegateV2(mountPoint: string, pid: number, owner: number): DelegatedTree {
  const own = path.join(mountPoint, groupOf(pid, '').replace(/\/own$/, ''));
  const [leaf, outside] = [path.join(own, 'own'), path.join(own, GIVEN)];
  if (!fs.existsSync(outside)) {
    for (const directory of [leaf, outside]) fs.mkdirSync(directory);
    for (const each of pidsIn(own)) writeValue(leaf, 'cgroup.procs', each);
    for (const name of available(own)) writeValue(own, 'cgroup.subtree_control', `+${name}`);
    const files = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];
    giveAway(owner, [outside, ...files.map((file) => path.join(outside, file)), path.join(own, 'cgroup.procs')]);
  }
  return { controllers: available(outside), outside, inside: path.join('/sys/fs/cgroup', GIVEN) };
}

function available(directory: string): string[] {
  const names = fs.readFileSync(path.join(directory, 'cgroup.controllers'), 'utf8').trim().split(' ');
  return CONTROLLERS.filter((name) => names.includes(name));
}

function giveAway(owner: number, paths: string[]): void {
  for (const each of paths) fs.chownSync(each, owner, owner);
}

/** Where a process is in the tree of a controller; '' is version 2. proc_pid_cgroup(5). */
function groupOf(pid: number, controller: string): string {
  for (const line of fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')) {
    const [, controllers = '', ...rest] = line.split(':');
    if (controllers.split(',').includes(controller)) return rest.join(':');
  }
  throw new Error(`Process ${pid} is in no group of ${controller || 'version 2'}.`);
}
