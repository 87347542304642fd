/**
 * What the files are dated that a command has written. When it ran is not part of what it did, so that what it wrote is of
 * the step's own time; a time that it set is:
 *
 * - one from before the command began or after it ended, as touch, tar, cp -p and package managers set them;
 * - that of a Python source of which a `.pyc` in the same layer keeps the time: the interpreter compares both at each
 *   start. PEP 552.
 *
 * With SOURCE_DATE_EPOCH nothing is later than that, and only the first kind stays.
 */

import { closeSync, openSync, readSync } from 'node:fs';
import type { ArchiveEntry } from '../archive.ts';

/** When the command ran: milliseconds since the epoch. */
export interface Ran {
  from: number;
  to: number;
}

/** The kernel stamps files with a clock that may be a tick behind: milliseconds. */
const TICK = 20;

/** @param step the step's time @param sourceDate milliseconds since the epoch; undefined without SOURCE_DATE_EPOCH */
export function dated(entries: ArchiveEntry[], ran: Ran, step: Date, sourceDate: number | undefined): ArchiveEntry[] {
  const compiled = sourceDate === undefined ? compiledSources(entries) : new Set<string>();
  return entries.map((entry) => {
    const time = entry.mtime.getTime();
    const isSet = time < ran.from - TICK || time > ran.to + TICK || compiled.has(entry.path);
    const kept = sourceDate === undefined ? time : Math.min(time, sourceDate);
    return { ...entry, mtime: isSet ? new Date(kept) : step };
  });
}

const PYC = /^(?:(.*)\/)?__pycache__\/([^/]+)\.[^./]+(?:\.opt-[^./]+)?\.pyc$/;
/** A flags word of zero says that the time follows, and not a hash. */
const HEADER = 12;

/** The paths of those whose time a `.pyc` among the entries has. */
function compiledSources(entries: ArchiveEntry[]): Set<string> {
  const times = new Map(entries.map(({ path, mtime }) => [path, Math.floor(mtime.getTime() / 1000)]));
  const sources = new Set<string>();
  for (const entry of entries) {
    const [matched, directory, module] = PYC.exec(entry.path) ?? [];
    if (matched === undefined || entry.type !== 'file' || !('source' in entry)) continue;
    const source = `${directory === undefined ? '' : `${directory}/`}${module}.py`;
    const time = times.get(source);
    if (time !== undefined && timeIn(entry.source) === (time & 0xffffffff) >>> 0) sources.add(source);
  }
  return sources;
}

function timeIn(path: string): number | undefined {
  const head = Buffer.alloc(HEADER);
  const fd = openSync(path, 'r');
  try {
    return readSync(fd, head, 0, HEADER, 0) === HEADER && head.readUInt32LE(4) === 0 ? head.readUInt32LE(8) : undefined;
  } finally {
    closeSync(fd);
  }
}
