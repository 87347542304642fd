/** Debian's docker-registry (distribution 2.8) on a free port of loopback, gone with its data when it is closed. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

export interface DebianRegistryOptions {
  /** Ask for this login: USER, PASSWORD. */
  login?: boolean;
  /** A certificate of an authority of its own, which lies at `authority`. */
  tls?: boolean;
  /** Let in only who has a certificate of that authority: `client.cert` and `client.key`. */
  clients?: boolean;
}

/** Whom a registry with `login` lets in. */
export const USER = 'ada';
export const PASSWORD = 'correct, horse="battery"';
/** bcrypt of PASSWORD, with few rounds. */
const HTPASSWD = `${USER}:$2b$04$.qa9mSTgkuk3n26V6VA.gOIoAjlGMYhoy/wi0m2K51ozPOYFWEaMu\n`;

export class DebianRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** The directory with its data and certificates. */
  readonly directory: string;
  readonly #process: ChildProcess;

  private constructor(host: string, directory: string, process: ChildProcess) {
    this.host = host;
    this.directory = directory;
    this.#process = process;
  }

  static available(): boolean {
    return (process.env.PATH ?? '').split(':').some((place) => fs.existsSync(path.join(place, 'docker-registry')));
  }

  static async start({
    login = false,
    tls = false,
    clients = false,
  }: DebianRegistryOptions = {}): Promise<DebianRegistry> {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-debian-registry-'));
    try {
      if (login) fs.writeFileSync(path.join(directory, 'htpasswd'), HTPASSWD);
      if (tls) makeCertificates(directory);
      const config = {
        version: '0.1',
        log: { level: 'info' },
        storage: { filesystem: { rootdirectory: path.join(directory, 'data') }, delete: { enabled: true } },
        http: {
          addr: '127.0.0.1:0',
          ...(tls && {
            tls: {
              certificate: path.join(directory, 'own.crt'),
              key: path.join(directory, 'own.key'),
              ...(clients && { clientcas: [path.join(directory, 'ca.crt')] }),
            },
          }),
        },
        ...(login && {
          auth: { htpasswd: { realm: 'a realm, with "quotes"', path: path.join(directory, 'htpasswd') } },
        }),
      };
      // JSON is YAML.
      fs.writeFileSync(path.join(directory, 'config.yml'), JSON.stringify(config));
      const child = spawn('docker-registry', ['serve', path.join(directory, 'config.yml')], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' },
      });
      return new DebianRegistry(await listening(child), directory, child);
    } catch (error) {
      fs.rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** The certificate of the authority that signed its own. */
  get authority(): string {
    return path.join(this.directory, 'ca.crt');
  }

  async close(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

async function listening(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  for await (const line of readline.createInterface({ input: child.stderr! })) {
    said.push(line);
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (host === undefined) continue;
    // Its log goes on; nobody reading it would stop the registry.
    child.stderr!.resume();
    return host;
  }
  throw new Error(`docker-registry did not start:\n${said.join('\n')}`);
}

function makeCertificates(directory: string): void {
  const openssl = (words: string) => execFileSync('openssl', words.split(' '), { cwd: directory, stdio: 'pipe' });
  const sign = (name: string, certificate: string, more = '') => {
    openssl(`req -newkey rsa:2048 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
    openssl(`x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2${more} -out ${certificate}`);
  };
  openssl('req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt');
  sign('client', 'client.cert');
  fs.writeFileSync(path.join(directory, 'names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  sign('own', 'own.crt', ' -extfile names');
}
