/**
 * A user who is not root, for tests that root runs. The machine is told of nobody: the files that say who there is are
 * private copies, mounted in a mount namespace that ends with the test. The clone and Node are mounted below the
 * user's directory too, since the folders they lie in may be closed to others.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Ran, type RunOptions, run } from './ran.ts';
import { has } from './tools.ts';

const clone = path.resolve(import.meta.dirname, '../../..');

export const UID = 4242;
/** For documentation, so no host has it. RFC 5737. */
export const OUTSIDE = '198.51.100.1';
export const FIRST_SUBORDINATE = 500_000;
const NAME = 'skiff-test-user';

export interface OrdinaryUserOptions {
  /** Whether the user has subordinate ids; they do unless told otherwise. */
  subordinate?: boolean;
  /** Programs of the machine that this user cannot run. */
  without?: string[];
  /** A network namespace that is this user's machine, with an address OUTSIDE that is not its loopback's. */
  network?: boolean;
}

/** Why no such user can be had here; undefined when one can. */
export function noOrdinaryUser(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can be somebody else';
  const missing = ['unshare', 'nsenter', 'setpriv', 'newuidmap', 'newgidmap'].find((program) => !has(program));
  return missing === undefined ? undefined : `there is no ${missing} here`;
}

export class OrdinaryUser {
  /** The home directory, with the engine's state below it. */
  readonly home: string;
  readonly root: string;
  readonly socket: string;
  readonly #directory: string;
  readonly #holder: ChildProcess;
  readonly #enter: string[];
  readonly #env: NodeJS.ProcessEnv;

  private constructor(directory: string, holder: ChildProcess, network: boolean) {
    this.#directory = directory;
    this.#holder = holder;
    const names = network ? (['mnt', 'net'] as const) : (['mnt'] as const);
    const options = { mnt: 'mount', net: 'net' };
    this.#enter = names.map((name) => `--${options[name]}=/proc/${holder.pid}/ns/${name}`);
    this.home = path.join(directory, 'home');
    this.root = path.join(this.home, '.local/share/skiff');
    this.socket = path.join(this.root, 'run/skiff.sock');
    this.#env = { PATH: process.env.PATH, HOME: this.home, DOCKER_CONFIG: path.join(this.home, 'docker') };
  }

  static async start({
    subordinate = true,
    without = [],
    network = false,
  }: OrdinaryUserOptions = {}): Promise<OrdinaryUser> {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-user-'));
    fs.chmodSync(directory, 0o711);
    for (const name of ['home', 'clone']) fs.mkdirSync(path.join(directory, name));
    fs.chownSync(path.join(directory, 'home'), UID, UID);
    const file = (name: string, text: string): string => {
      fs.writeFileSync(path.join(directory, name), text, { mode: 0o644 });
      return path.join(directory, name);
    };
    const etc = (name: string) => fs.readFileSync(path.join('/etc', name), 'utf8');
    const range = subordinate ? `${NAME}:${FIRST_SUBORDINATE}:65536\n` : '';
    execFileSync('mknod', ['-m', '666', path.join(directory, 'tun'), 'c', '10', '200']);
    const binds: [source: string, target: string][] = [
      [clone, path.join(directory, 'clone')],
      [process.execPath, file('node', '')],
      [file('passwd', `${etc('passwd')}${NAME}:x:${UID}:${UID}::${directory}/home:/bin/sh\n`), '/etc/passwd'],
      [file('group', `${etc('group')}${NAME}:x:${UID}:\n`), '/etc/group'],
      [file('subuid', range), '/etc/subuid'],
      [file('subgid', range), '/etc/subgid'],
      ...(fs.existsSync('/dev/net/tun') ? [[path.join(directory, 'tun'), '/dev/net/tun'] as [string, string]] : []),
      ...without.map((program) => [file(`no-${path.basename(program)}`, ''), program] as [string, string]),
    ];
    // A pair of ends of one cable is as good as a card.
    const cards = [
      'ip link set lo up',
      `ip address add ${OUTSIDE}/32 dev lo`,
      'ip link add card0 type veth peer name card1',
      'ip address add 192.0.2.1/24 dev card0',
      'ip link set card0 up',
      'ip link set card1 up',
      'ip route add default via 192.0.2.254 dev card0',
    ];
    const script = [
      ...(network ? cards : []),
      ...binds.map(([source, target]) => `mount --bind '${source}' '${target}'`),
      'echo .',
      'exec cat',
    ];
    const holder = spawn(
      'unshare',
      [...(network ? ['--net'] : []), '--mount', '--propagation', 'private', 'sh', '-ec', script.join('\n')],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const user = new OrdinaryUser(directory, holder, network);
    const gone = once(holder, 'exit').then(() => {
      throw new Error('the mounts of an ordinary user could not be made');
    });
    gone.catch(() => {});
    await Promise.race([once(holder.stdout!, 'data'), gone]);
    return user;
  }

  /**
   * Run a program as this user, who has no powers over anything.
   * @param cgroup the directory of the one that it is put into; else it stays where this process is.
   */
  run(file: string, args: string[], options: RunOptions = {}, cgroup?: string): Promise<Ran> {
    const become = ['--reuid', `${UID}`, '--regid', `${UID}`, '--clear-groups', '--inh-caps=-all', '--'];
    const line = ['nsenter', ...this.#enter, 'setpriv', ...become, file, ...args];
    const inside = cgroup === undefined ? [] : ['sh', '-c', 'echo $$ > "$0/cgroup.procs"; exec "$@"', cgroup];
    const [program, ...words] = [...inside, ...line] as [string, ...string[]];
    return run(program, words, {
      cwd: '/',
      ...options,
      env: { ...this.#env, ...options.env },
    });
  }

  /** Something that stays, on this user's machine. */
  serve(...words: string[]): ChildProcess {
    return spawn('nsenter', [...this.#enter, ...words], { stdio: ['ignore', 'pipe', 'ignore'] });
  }

  skiff(...args: string[]): Promise<Ran> {
    return this.skiffWith({}, ...args);
  }

  skiffWith(options: RunOptions, ...args: string[]): Promise<Ran> {
    return this.run(path.join(this.#directory, 'node'), ['--', this.#bundle, ...args], options);
  }

  /** In a cgroup that root puts the command into, and the daemon with it if that starts it. @param cgroup its directory */
  skiffIn(cgroup: string, ...args: string[]): Promise<Ran> {
    return this.run(path.join(this.#directory, 'node'), ['--', this.#bundle, ...args], {}, cgroup);
  }

  get #bundle(): string {
    return path.join(this.#directory, 'clone/.build/default/skiff.cjs');
  }

  docker(...args: string[]): Promise<Ran> {
    return this.run('docker', ['-H', `unix://${this.socket}`, ...args]);
  }

  /** Of the daemon, in this process's PID namespace. */
  daemonPid(): number {
    return Number(fs.readFileSync(path.join(this.root, 'lock'), 'utf8'));
  }

  shimPid(): number {
    return Number(fs.readFileSync(path.join(this.root, 'run/shim.pid'), 'utf8'));
  }

  /** End everything of this user's. @returns what was left behind, which is nothing if all is well */
  async destroy(): Promise<string[]> {
    const { stdout } = await this.skiff('ps', '-aq');
    const names = stdout.split('\n').filter(Boolean);
    if (names.length > 0) await this.skiff('rm', '-f', '-v', ...names);
    await this.skiff('daemon', 'stop');
    const left = ['containers', 'removed'].flatMap((name) => {
      const directory = path.join(this.root, name);
      return fs.existsSync(directory) ? fs.readdirSync(directory).map((entry) => `${name}/${entry}`) : [];
    });
    const ended = once(this.#holder, 'exit');
    this.#holder.stdin!.end();
    await ended;
    fs.rmSync(this.#directory, { recursive: true, force: true });
    return left;
  }
}
