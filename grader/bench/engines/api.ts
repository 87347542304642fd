/** The few calls of the Docker Engine API that are measured, on one kept-open unix socket connection. */

import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface ContainerRequest {
  Image: string;
  Cmd: string[];
  /** Beside what all containers have. */
  HostConfig?: object;
}

interface Answer {
  status: number;
  body: string;
}

export class EngineApi {
  readonly socket: string;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });

  private readonly hostConfig: Record<string, string>;

  /** @param hostConfig added to the `HostConfig` of every container that is created. */
  constructor(socket: string, hostConfig: Record<string, string> = {}) {
    this.socket = socket;
    this.hostConfig = { NetworkMode: 'none', ...hostConfig };
  }

  /** Any answer, whatever its status. `body` is sent as JSON unless it is bytes. */
  private ask(method: string, path: string, body?: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const bytes = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const type = Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json';
      const headers = bytes === undefined ? {} : { 'Content-Type': type, 'Content-Length': bytes.length };
      const call = request({ socketPath: this.socket, agent: this.agent, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        response.on('error', reject);
      });
      call.on('error', reject);
      call.end(bytes);
    });
  }

  /** @throws Error with the engine's own words unless the status is 2xx. */
  async call(method: string, path: string, body?: object): Promise<string> {
    const answer = await this.ask(method, path, body);
    if (answer.status < 200 || answer.status > 299) {
      throw new Error(`${method} ${path}: ${answer.status} ${answer.body.trim()}`);
    }
    return answer.body;
  }

  async ping(): Promise<void> {
    await this.call('GET', '/_ping');
  }

  /** Make an image of one layer from the bytes of a tar archive, as `docker import` does. */
  async importImage(name: string, tar: Buffer): Promise<void> {
    await this.call('POST', `/images/create?fromSrc=-&repo=${name}&tag=latest`, tar);
  }

  /** `docker load` of an archive that comes as a stream. @throws Error with the engine's own words. */
  async loadImage(archive: Readable): Promise<void> {
    const headers = { 'Content-Type': 'application/x-tar' };
    const path = '/images/load?quiet=1';
    const call = request({ socketPath: this.socket, agent: this.agent, method: 'POST', path, headers });
    const answer = once(call, 'response') as Promise<[IncomingMessage]>;
    // An engine may answer, and hang up, before it has read everything; its words matter more than that.
    const sent = pipeline(archive, call).catch((error: Error) => error);
    const [response] = await answer;
    const body = await text(response);
    const failure = await sent;
    if (response.statusCode !== 200 || /"error"/.test(body))
      throw new Error(`POST ${path}: ${response.statusCode} ${body.trim()}`);
    if (failure instanceof Error) throw failure;
  }

  /** Remove an image, which need not be there. */
  async removeImage(name: string): Promise<void> {
    await this.ask('DELETE', `/images/${name}?force=true`);
  }

  /** Network none; the id. */
  async create(container: ContainerRequest): Promise<string> {
    const body = await this.call('POST', '/containers/create', {
      ...container,
      HostConfig: { ...this.hostConfig, ...container.HostConfig },
    });
    return (JSON.parse(body) as { Id: string }).Id;
  }

  async start(id: string): Promise<void> {
    await this.call('POST', `/containers/${id}/start`);
  }

  /** The exit code, once it has ended. */
  async wait(id: string): Promise<number> {
    return (JSON.parse(await this.call('POST', `/containers/${id}/wait`)) as { StatusCode: number }).StatusCode;
  }

  /** The pid of a running container's first process, on the host. */
  async pid(id: string): Promise<number> {
    return (JSON.parse(await this.call('GET', `/containers/${id}/json`)) as { State: { Pid: number } }).State.Pid;
  }

  /** Remove every container, whatever its state. */
  async removeAll(): Promise<void> {
    const containers = JSON.parse(await this.call('GET', '/containers/json?all=true')) as { Id: string }[];
    for (const { Id } of containers) await this.remove(Id);
  }

  async remove(id: string): Promise<void> {
    await this.call('DELETE', `/containers/${id}?force=true`);
  }

  /** Run `command` in a running container, from the call that makes the exec to its exit code; null when the engine does not know it yet. */
  async exec(id: string, command: string[]): Promise<number | null> {
    const body = { AttachStdout: true, AttachStderr: true, Cmd: command };
    const made = JSON.parse(await this.call('POST', `/containers/${id}/exec`, body)) as { Id: string };
    // Without Detach and without an Upgrade header the answer's body ends when the command does.
    await this.call('POST', `/exec/${made.Id}/start`, { Detach: false, Tty: false });
    const state = JSON.parse(await this.call('GET', `/exec/${made.Id}/json`)) as { ExitCode: number | null };
    return state.ExitCode;
  }

  close(): void {
    this.agent.destroy();
  }
}
