/** runc, the reference runtime that Docker and Podman use, and others with its command line. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { cgroupParent, removeCgroupParent } from './cgroup-parent.ts';
import { run } from './process.ts';

/** The part of runc's own default configuration that is changed here. */
const configuration = z.looseObject({
  process: z.looseObject({ terminal: z.boolean(), args: z.array(z.string()) }),
  root: z.looseObject({ path: z.string(), readonly: z.boolean() }),
  linux: z.looseObject({ namespaces: z.array(z.looseObject({ type: z.string() })) }),
});

export interface Runc {
  /** Start `true` in a container of its own, wait for its end and remove it: one command. */
  runTrue: (id: string) => Promise<void>;
  /** With a configuration like theirs. */
  bundle: string;
  remove: () => void;
}

/**
 * A bundle like what our engine makes of `run hostbox true`: all namespaces, a cgroup, capabilities; the root without an overlay.
 * @param program a runtime with runc's command line.
 */
export async function prepareRunc(directory: string, rootfs: string, program = 'runc'): Promise<Runc> {
  const cgroup = cgroupParent(basename(program));
  await run(program, ['spec', '--bundle', directory]);
  const path = join(directory, 'config.json');
  const spec = configuration.parse(JSON.parse(readFileSync(path, 'utf8')));
  spec.process.terminal = false;
  spec.process.args = ['true'];
  spec.root = { path: rootfs, readonly: false };
  const types = spec.linux.namespaces.map((namespace) => namespace.type);
  if (!types.includes('cgroup')) spec.linux.namespaces.push({ type: 'cgroup' });
  const state = join(directory, 'state');
  const documentOf = (id: string) =>
    JSON.stringify({ ...spec, linux: { ...spec.linux, cgroupsPath: `${cgroup}/${id}` } });
  writeFileSync(path, documentOf('nobody'));
  return {
    runTrue: async (id) => {
      // A bundle of its own: others may be starting at the same time.
      const bundle = join(directory, id);
      mkdirSync(bundle);
      writeFileSync(join(bundle, 'config.json'), documentOf(id));
      await run(program, ['--root', state, 'run', '--bundle', bundle, id]);
    },
    bundle: directory,
    // It removes a container's cgroup, not the one above it that it made as well.
    remove: () => removeCgroupParent(cgroup),
  };
}
