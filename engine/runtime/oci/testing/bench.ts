/** Bundles in a directory of one's own, and the runtime that is tested, as its callers start it. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { makeRootfs } from '../../testing/rootfs.ts';
import type { Config } from '../config-document.ts';
import { exampleConfig } from '../example-config.ts';

export const launcher = resolve('engine/runtime/oci/skiff-runtime');

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A config.json that a test changes as it likes; what it writes need not be one at all. */
export type LooseConfig = Config & { process: { args: string[] } } & Record<string, unknown>;

export interface Bench {
  directory: string;
  /** Where the runtime keeps its state. */
  state: string;
  /** Make a bundle. @returns its directory. */
  bundle(change?: (config: LooseConfig) => void): string;
  /** Run a command of the runtime to its end. Its streams are files, so nothing that stays behind keeps this waiting. */
  run(...words: string[]): Ran;
  runWith(options: { input?: string; runtime?: string; fds?: number[]; timeout?: number }, ...words: string[]): Ran;
  newId(): string;
  /** The container's state as `state` prints it. */
  stateOf(id: string): { status: string; pid: number };
  close(): void;
}

let counter = 0;
const next = () => {
  counter += 1;
  return counter;
};

export function openBench(): Bench {
  const directory = mkdtempSync(join(tmpdir(), 'skiff-oci-'));
  const state = join(directory, 'state');
  const rootfs = join(directory, 'rootfs');
  mkdirSync(rootfs);
  makeRootfs(rootfs);
  const bench: Bench = {
    directory,
    state,
    bundle(change = () => {}) {
      const bundle = mkdtempSync(join(directory, 'bundle-'));
      const config = structuredClone(exampleConfig) as unknown as LooseConfig;
      config.process.terminal = false;
      config.root = { path: rootfs };
      config.linux.cgroupsPath = `/skiff/oci-test-${process.pid}/${next()}`;
      change(config);
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
      return bundle;
    },
    run: (...words) => bench.runWith({}, ...words),
    runWith({ input = '', runtime = launcher, fds = [], timeout = 25_000 }, ...words) {
      const [stdout, stderr] = ['stdout', 'stderr'].map((name) => join(directory, name)) as [string, string];
      const command = '"$@" >"$OUT" 2>"$ERR"';
      const { status } = spawnSync('/bin/sh', ['-c', command, 'sh', runtime, '--root', state, ...words], {
        env: { ...process.env, OUT: stdout, ERR: stderr },
        input,
        stdio: ['pipe', 'ignore', 'inherit', ...fds],
        timeout,
      });
      return { code: status, stdout: readFileSync(stdout, 'utf8'), stderr: readFileSync(stderr, 'utf8') };
    },
    newId: () => `oci-test-${process.pid}-${next()}`,
    stateOf: (id) => JSON.parse(bench.run('state', id).stdout) as { status: string; pid: number },
    close() {
      let ids: string[] = [];
      try {
        ids = readdirSync(state);
      } catch {
        // Nothing has been made.
      }
      for (const id of ids) bench.run('delete', '--force', id);
      removeEmptyGroups();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return bench;
}

/** What runc leaves of the path to a container's control groups: the parents, in hierarchies that we do not use, too. */
function removeEmptyGroups(): void {
  const hierarchies = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] as string);
  for (const hierarchy of hierarchies) {
    for (const group of [`skiff/oci-test-${process.pid}`, 'skiff']) {
      try {
        rmdirSync(join(hierarchy, group));
      } catch {
        // It does not exist, or another's is in it.
      }
    }
  }
}

const schemas = resolve('engine/container/testdata/runtime-spec');

/** Why `document` is not what the specification's schema says; null when it is. */
export function schemaErrors(schema: string, document: unknown): unknown {
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
  for (const file of readdirSync(schemas)) {
    const { $schema: _, ...text } = JSON.parse(readFileSync(join(schemas, file), 'utf8')) as Record<string, unknown>;
    ajv.addSchema({ ...text, $id: file });
  }
  const validate = ajv.getSchema(schema)!;
  return validate(document) ? null : validate.errors;
}
