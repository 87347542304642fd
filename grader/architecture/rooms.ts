/** The rooms of the house, lowest first. A file may import from its own room and from those below it, never upward. */

import type { Import } from './imports.ts';

export interface Room {
  /** A folder, relative to the clone. */
  folder: string;
  holds: string;
  /** Rooms besides its own that it may import from, where these are not simply all below it. */
  only?: string[];
}

export const rooms: readonly Room[] = [
  { folder: 'engine/kernel', holds: 'system calls, constants and structures; the only room that imports koffi' },
  { folder: 'engine/runtime', holds: 'a container as the kernel sees it: from config.json to an isolated process' },
  { folder: 'engine/image', holds: 'digests, stores, layers, archives, snapshots and builds' },
  { folder: 'engine/registry', holds: 'the distribution protocol, both ends' },
  { folder: 'engine/network', holds: 'links, addresses, ports and names' },
  { folder: 'engine/container', holds: 'the life of a container: state, logs, events, volumes, recovery' },
  { folder: 'engine/daemon', holds: 'the Docker Engine API' },
  { folder: 'engine/cli', holds: 'the command skiff, a client of the API', only: [] },
  { folder: 'grader', holds: 'the judge, the workshop, the proof, the benchmark' },
];

/** The room that a file lies in; undefined for files outside of all rooms, such as labs. */
export function roomOf(file: string): number | undefined {
  const index = rooms.findIndex(({ folder }) => file.startsWith(`${folder}/`));
  return index < 0 ? undefined : index;
}

/** Tests may drive the whole engine from anywhere, and helpers of tests live in `testing/`. */
function isTest(file: string): boolean {
  return /\.test\.ts$|\/testing\//.test(file);
}

/** A sentence for each import that the rule forbids. */
export function breaches(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, to, line }) => {
    const why = isTest(from) ? null : reason(from, to);
    return why === null ? [] : [`${from}:${line} imports ${to}: ${why}`];
  });
}

function reason(from: string, to: string): string | null {
  const room = roomOf(from);
  if (room === undefined) return null;
  const { folder, only } = rooms[room]!;
  if (to === 'koffi') return room === 0 ? null : `only ${rooms[0]!.folder} talks to libc`;
  if (/^(labs|solutions)\//.test(to)) return folder === 'grader' ? null : 'the engine knows no labs';
  const other = roomOf(to);
  if (other === undefined || other === room) return null;
  if (other > room) return `${rooms[other]!.folder} lies above ${folder}`;
  return only === undefined || only.includes(rooms[other]!.folder)
    ? null
    : `${folder} imports from ${['itself', ...only].join(', ')} only`;
}
