/**
 * A grading session: one shim with everything that sandboxes need, in a directory of its own. The process that opened
 * it is its judge; when that process ends, however it ends, the kernel ends the shim, and the shim's end every sandbox.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { releaseParents } from '../../engine/runtime/cgroups/parents.ts';
import { cgroupRoots, endGroupsNow } from './end-groups.ts';
import { builtFile } from './home.ts';
import { removeTree } from './remove-tree.ts';
import { rootfsTemplate } from './rootfs.ts';
import { SESSION_PREFIX, SLOTS, sessionPaths } from './session-paths.ts';
import { ShimClient } from './shim-client.ts';
import { canMakeCgroups } from './user-ids.ts';

/** What another process needs to use the session, too. */
export interface SessionAddress {
  directory: string;
  shimPid: number;
}

export class Session {
  readonly address: SessionAddress;
  readonly shim: ShimClient;

  private constructor(address: SessionAddress, shim: ShimClient) {
    this.address = address;
    this.shim = shim;
  }

  /** Start a session that ends with this process. @throws Error with what the host refused. */
  static async open(): Promise<Session> {
    if (process.geteuid?.() !== 0)
      throw new Error(
        'Only root can open a session. Without root: ./workshop check, whose judge is root of its own world.',
      );
    // Before the mount namespace: what is prepared for all sessions lies on the machine itself.
    rootfsTemplate();
    removeStaleSessions();
    const directory = fs.mkdtempSync(path.join(temporaryFolder(), `${SESSION_PREFIX}${process.pid}-`));
    const paths = sessionPaths(directory);
    fs.chmodSync(directory, 0o711);
    for (const folder of [paths.root, paths.compilerRoot, paths.run, paths.free, paths.taken, paths.spare])
      fs.mkdirSync(folder);
    for (let slot = 0; slot < SLOTS; slot++) {
      fs.mkdirSync(paths.slot(slot), { recursive: true });
      fs.mkdirSync(paths.view(slot), { recursive: true });
      fs.writeFileSync(path.join(paths.free, String(slot)), '');
    }
    // Sandboxes mount what lies in these as somebody else, whatever the umask.
    const open = [paths.root, paths.compilerRoot, path.dirname(paths.slot(0)), path.dirname(paths.view(0))];
    for (const folder of open) fs.chmodSync(folder, 0o755);
    const shimPid = await startShim(directory);
    endWithThisProcess({ directory, shimPid });
    return await Session.join({ directory, shimPid });
  }

  /** Use a session that another process has opened. */
  static async join(address: SessionAddress): Promise<Session> {
    const shim = await ShimClient.connect(sessionPaths(address.directory).socket);
    shim.unref();
    return new Session(address, shim);
  }

  /** A path of the session as it is in the shim's mount namespace. */
  within(file: string): string {
    return `/proc/${this.address.shimPid}/root${file}`;
  }
}

/** The address of a unix socket has at most 107 bytes. */
function temporaryFolder(): string {
  return os.tmpdir().length > 60 ? '/tmp' : os.tmpdir();
}

async function startShim(directory: string): Promise<number> {
  const flags = ['--single-threaded', '--v8-pool-size=0'];
  const child = spawn(process.execPath, [...flags, builtFile('grade'), 'sandbox-host', directory], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Whatever else the judge's environment holds is not for a process that submissions run below.
    env: { PATH: process.env.PATH },
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const listening = once(child.stdout, 'data');
  const ended = once(child, 'close').then(() => {
    throw new Error(`No sandbox can be made on this machine: ${said.trim()}.`);
  });
  ended.catch(() => {});
  const [line] = (await Promise.race([listening, ended])) as [Buffer];
  const pid = /^skiff-shim (\d+) ready/.exec(line.toString())?.[1];
  if (pid === undefined)
    throw new Error(`The shim said ${JSON.stringify(line.toString())} instead of that it is ready.`);
  child.unref();
  for (const stream of [child.stdout, child.stderr]) stream.destroy();
  return Number(pid);
}

/** vitest ends its workers by SIGTERM, which by itself ends a process without a farewell. */
function endWithThisProcess(address: SessionAddress): void {
  process.once('exit', () => endSession(address));
  process.once('SIGTERM', () => process.exit(143));
}

/** The shim's end is the end of everything in the session; what is left are names: cgroups, directories, a socket. */
function endSession({ directory, shimPid }: SessionAddress): void {
  try {
    process.kill(shimPid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
  sweep(directory);
}

/** The directory is the last to go: as long as it is there, a later session tries again. */
function sweep(directory: string): void {
  const group = cgroupsPathOf(directory);
  if (canMakeCgroups()) {
    if (!endGroupsNow(group)) return;
    releaseParents(group);
  }
  removeTree(directory);
}

/** Of everything in a session, below the root of each hierarchy. */
export function cgroupsPathOf(directory: string): string {
  return `/skiff/${path.basename(directory)}`;
}

/** A judge that was killed leaves these names behind: directories, and groups whose directory is gone already. */
export function removeStaleSessions(): void {
  const groups = canMakeCgroups() ? cgroupRoots().map((root) => path.join(root, path.dirname(cgroupsPathOf('x')))) : [];
  const names = [temporaryFolder(), ...groups].flatMap((folder) =>
    fs.existsSync(folder) ? fs.readdirSync(folder) : [],
  );
  for (const name of new Set(names)) {
    const pid = new RegExp(`^${SESSION_PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || fs.existsSync(`/proc/${pid}`)) continue;
    try {
      sweep(path.join(temporaryFolder(), name));
    } catch {
      // Another user's, say. What cannot be removed is not in the way.
    }
  }
}
