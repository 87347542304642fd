/** A daemon of its own for a test: real bundle, real socket, real shim, in a state root that is gone afterwards. */

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { socketAddress } from '../../container/socket-address.ts';
import { hostCgroups } from '../../runtime/cgroups/host.ts';
import { departures, routeOf } from './api-schema.ts';

const home = path.resolve(import.meta.dirname, '../../..');
const bundles = path.join(home, '.build/default');

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it
  json: any;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

let built = false;

export class TestDaemon {
  readonly root: string;
  readonly socket: string;
  process: ChildProcess | null = null;
  errors = '';
  readonly #temporary: string;
  /** Where the bundles are that it runs. */
  #bundles = bundles;
  #within: string[] = [];
  readonly #agent = new http.Agent({ keepAlive: false });

  private constructor(temporary: string, below: string) {
    this.#temporary = temporary;
    this.root = path.join(temporary, below);
    this.socket = path.join(this.root, 'run/skiff.sock');
  }

  /**
   * A daemon on a root that is new, with hostbox in it.
   * @param below a directory between the temporary one and the root
   * @param alter given the directory of the bundles and one that goes away with the root: makes others there.
   * @param within a command that becomes the one whose words are appended to its own.
   */
  static async start(
    below = '',
    alter?: (from: string, to: string) => void,
    within: string[] = [],
  ): Promise<TestDaemon> {
    if (!built)
      execFileSync(process.execPath, [path.join(home, 'engine/build.mjs'), '--need', 'skiff'], { stdio: 'inherit' });
    built = true;
    const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-daemon-'));
    // As /var/lib is: others may pass through.
    fs.chmodSync(temporary, 0o711);
    const daemon = new TestDaemon(temporary, below);
    daemon.#within = within;
    if (alter) {
      daemon.#bundles = path.join(daemon.#temporary, 'bundles');
      fs.mkdirSync(daemon.#bundles);
      alter(bundles, daemon.#bundles);
    }
    try {
      await daemon.launch();
      await daemon.hostbox();
    } catch (error) {
      await daemon.destroy();
      throw error;
    }
    return daemon;
  }

  /** From the next launch on: a command that becomes the one whose words are appended to its own. */
  within(command: string[]): void {
    this.#within = command;
  }

  /** Start the daemon's process, again if it was killed. */
  async launch(...options: string[]): Promise<void> {
    const daemon = [process.execPath, path.join(this.#bundles, 'daemon.cjs'), '--root', this.root, ...options];
    const [program, ...args] = [...this.#within, ...daemon];
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    child.stderr?.on('data', (data: Buffer) => {
      this.errors += data.toString();
    });
    const gone = once(child, 'exit').then(() => {
      throw new Error(`the daemon ended at once: ${this.errors}`);
    });
    gone.catch(() => {});
    await Promise.race([once(child.stdout!, 'data'), gone]);
  }

  /** Wait until hostbox, which the daemon makes in the background, is there. */
  async hostbox(): Promise<void> {
    for (
      let answer = await this.get('/images/hostbox/json');
      answer.status !== 200;
      answer = await this.get('/images/hostbox/json')
    )
      await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async get(url: string): Promise<Answer> {
    return await this.request('GET', url);
  }

  async post(url: string, body?: unknown): Promise<Answer> {
    return await this.request('POST', url, body);
  }

  /** Ask, and hold the answer against the API's description. */
  async request(method: string, url: string, body?: unknown): Promise<Answer> {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await this.exchange(method, url, text);
    const wrong = departures(method, routeOf(method, url), answer.status, answer.json);
    const isError = answer.status >= 400 && typeof answer.json?.message === 'string';
    if (wrong.length > 0 && !isError)
      throw new Error(
        `${method} ${url} → ${answer.status} departs from the API:\n${wrong.join('\n')}\n${answer.text.slice(0, 2000)}`,
      );
    return answer;
  }

  /** The actions of all that happened to a container so far. */
  async eventsOf(id: string): Promise<string[]> {
    const filters = encodeURIComponent(JSON.stringify({ container: [id] }));
    const { text } = await this.exchange('GET', `/events?since=1&until=${Date.now() / 1000}&filters=${filters}`);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).Action as string);
  }

  async exchange(method: string, url: string, body?: string, headers: Record<string, string> = {}): Promise<Answer> {
    const address = socketAddress(this.socket);
    const request = http.request({ socketPath: address.path, agent: this.#agent, method, path: url, headers });
    if (body !== undefined) request.setHeader('Content-Type', 'application/json');
    request.end(body);
    const [response] = (await once(request, 'response').finally(address.release)) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    return { status: response.statusCode ?? 0, headers: response.headers, text, json: parse(text) };
  }

  /** The stock docker command on this daemon. */
  async docker(...args: string[]): Promise<Ran> {
    return await this.dockerWithInput('', ...args);
  }

  async dockerWithInput(input: string, ...args: string[]): Promise<Ran> {
    return await new Promise((resolve) => {
      const child = execFile(
        'docker',
        ['-H', `unix://${this.socket}`, ...args],
        {
          encoding: 'utf8',
          maxBuffer: 256 << 20,
          env: { ...process.env, DOCKER_CONFIG: path.join(this.root, 'docker') },
        },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
      );
      child.stdin?.end(input);
    });
  }

  /** The pid of this root's shim; null when it has none. */
  shimPid(): number | null {
    const wanted = `${path.join(this.root, 'run/shim.sock')}\0`;
    for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        if (command.includes('shim.cjs') && command.includes(wanted)) return Number(pid);
      } catch {
        // It ended meanwhile.
      }
    }
    return null;
  }

  /** Kill the daemon, as a crash would. */
  async crash(): Promise<void> {
    await killAndWait(this.process);
  }

  /** End everything and remove the root. @returns what was left behind, which is nothing if all is well */
  async destroy(): Promise<string[]> {
    const key = await this.get('/info').then(
      ({ json }) => json.ID as string,
      () => null,
    );
    const list = await this.exchange('GET', '/containers/json?all=1').catch(() => null);
    for (const { Id } of list?.json ?? []) await this.exchange('DELETE', `/containers/${Id}?force=1&v=1`);
    if (this.process?.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      await once(this.process, 'exit');
    }
    const left: string[] = [];
    const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    left.push(...mounts.filter((line) => line.includes(this.root)));
    if (key && hostCgroups().find(`/skiff/${key}`)) left.push(`cgroup /skiff/${key}`);
    left.push(...fs.readdirSync(path.join(this.root, 'containers')));
    const shim = this.shimPid();
    if (shim !== null) {
      // It ends itself when its last daemon has gone.
      await untilGone(shim);
      if (this.shimPid() !== null) left.push(`shim ${shim}`);
    }
    fs.rmSync(this.#temporary, { recursive: true, force: true });
    return left;
  }
}

export async function killAndWait(child: ChildProcess | null): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Wait until process `pid`, which is not a child of this one, has ended. @returns whether it has within 60 s */
export async function untilGone(pid: number, milliseconds = 60_000): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (Date.now() < deadline) {
    if (!fs.existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8')))
      return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

export function dockerIsMissing(): string | false {
  try {
    execFileSync('docker', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'there is no docker command here';
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
