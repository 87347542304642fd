import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupVersion, mountedHierarchies } from '../../cgroups/detect.ts';
import { argumentsOf, parseLine, textOf } from '../command-line.ts';
import { RuntimeError } from '../error.ts';
import { exampleConfig } from '../example-config.ts';
import type { Command } from '../settings.ts';

export const command: Command = (words) => {
  const line = parseLine({ bundle: { value: true, short: 'b' } }, words);
  argumentsOf(line, 'spec', 0);
  const path = join(textOf(line, 'bundle') ?? process.cwd(), 'config.json');
  try {
    writeFileSync(path, `${JSON.stringify(exampleForHost(), null, 2)}\n`, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new RuntimeError(`File ${path} exists. Remove it first`);
  }
  return 0;
};

/** As with runc, whose callers add to it: a control group namespace is in it on version 2 only. cgroup_namespaces(7). */
function exampleForHost(): object {
  if (cgroupVersion(mountedHierarchies()) !== 1) return exampleConfig;
  const { linux } = exampleConfig;
  const namespaces = linux.namespaces.filter(({ type }) => type !== 'cgroup');
  return { ...exampleConfig, linux: { ...linux, namespaces } };
}
