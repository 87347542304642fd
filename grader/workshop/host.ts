/** What `doctor` last found out about this host, so that a map need not probe again. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Lane } from '../lab.ts';
import { type Examination, examine } from './doctor/examine.ts';
import { stateFolder } from './home.ts';

const file = path.join(stateFolder, 'host.json');

/** Another user, kernel, Node or boot may have other rights. */
function key(): string {
  const boot = Math.round((Date.now() / 1000 - os.uptime()) / 60);
  return [process.getuid?.(), os.release(), process.version, boot].join(' ');
}

/** By lane: null when this host has it, else why not. */
export function hostLanes(): Record<Lane, string | null> {
  try {
    const known = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (known.key === key()) return known.lanes;
  } catch {
    // Never examined yet.
  }
  return rememberHost(examine()).lanes;
}

export function rememberHost(examination: Examination): Examination {
  try {
    fs.mkdirSync(stateFolder, { recursive: true });
    fs.writeFileSync(file, JSON.stringify({ key: key(), lanes: examination.lanes }));
  } catch {
    // Somebody else's clone: then it is probed again the next time.
  }
  return examination;
}
