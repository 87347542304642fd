/** A daemon with networks, in a network namespace of its own: nothing of it appears in the host's. */

import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { type Ran, TestDaemon } from './test-daemon.ts';

/** The command whose words are followed by the daemon's: a namespace with a loopback, and the default bridge allowed. */
const APART = ['env', '-u', 'SKIFF_BRIDGE', 'unshare', '--net', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh'];

/** Why there can be none here; undefined when there can. */
export function noNetworks(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make bridges';
  for (const program of ['nft', 'ip', 'nsenter'])
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    } catch {
      return `there is no ${program} here`;
    }
  return undefined;
}

export class NetworkedDaemon {
  readonly daemon: TestDaemon;
  readonly #linksBefore = hostLinks();

  private constructor(daemon: TestDaemon) {
    this.daemon = daemon;
  }

  static async start(): Promise<NetworkedDaemon> {
    return new NetworkedDaemon(await TestDaemon.start('', undefined, APART));
  }

  /** Run a program beside the daemon, in its network namespace. @throws if it fails */
  on(program: string, ...args: string[]): string {
    return execFileSync('nsenter', ['--net', `--target=${this.daemon.process!.pid}`, program, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** As `on`; empty if it fails. */
  tried(program: string, ...args: string[]): string {
    try {
      return this.on(program, ...args);
    } catch {
      return '';
    }
  }

  /** The links of the daemon's namespace by their names, without the loopback. */
  links(): string[] {
    return linkNames(this.on('ip', '-o', 'link'));
  }

  /** The docker command, which has to succeed: what it printed, trimmed. */
  async out(...args: string[]): Promise<string> {
    const ran = await this.daemon.docker(...args);
    if (ran.code !== 0) throw new Error(`docker ${args.join(' ')} → ${ran.code}\n${ran.stderr}\n${this.daemon.errors}`);
    return ran.stdout.trim();
  }

  async docker(...args: string[]): Promise<Ran> {
    return await this.daemon.docker(...args);
  }

  /** A process that keeps the namespace while no daemon is in it, and runs commands there. */
  hold(): { pid: number; run(script: string): string; end(): void } {
    const holder = spawn('nsenter', ['--net', `--target=${this.daemon.process!.pid}`, 'sleep', '1000'], {
      stdio: 'ignore',
    });
    const pid = holder.pid!;
    const own = fs.readlinkSync('/proc/self/ns/net');
    while (fs.readlinkSync(`/proc/${pid}/ns/net`) === own);
    return {
      pid,
      run: (script) =>
        execFileSync('nsenter', ['--net', `--target=${pid}`, 'sh', '-c', `${script} || true`], {
          encoding: 'utf8',
        }).trim(),
      end: () => void holder.kill('SIGKILL'),
    };
  }

  /** @returns what was left behind, here or in the host's own namespace; nothing if all is well */
  async destroy(): Promise<string[]> {
    const left = await this.daemon.destroy();
    const before = this.#linksBefore;
    return [...left, ...hostLinks().filter((name) => !before.includes(name))];
  }
}

function hostLinks(): string[] {
  return linkNames(execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }));
}

function linkNames(listing: string): string[] {
  return [...listing.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'lo');
}
