/** `workshop doctor`. */

import { plannedLabs } from '../curriculum.ts';
import { rememberHost } from '../host.ts';
import { paint, say, wrap } from '../terminal.ts';
import { type Examination, examine } from './examine.ts';
import type { Finding } from './finding.ts';

const MARKS = { ok: paint.green('✔'), missing: paint.red('✘'), absent: paint.yellow('–') } as const;

export function doctor(options: { json?: boolean }): void {
  const examination = rememberHost(examine());
  if (options.json) {
    say(JSON.stringify({ ...examination, labs: unlocked(examination) }, null, 2));
  } else {
    say(paint.bold('This host, probed by doing'));
    sayFindings(examination.findings);
    say();
    for (const line of laneLines(examination)) say(line);
  }
  process.exitCode = examination.lanes.pure === null ? 0 : 1;
}

/** A fix that several findings share is said after the last of them. */
function sayFindings(findings: Finding[]): void {
  for (const [index, { title, status, detail, fix }] of findings.entries()) {
    say(`  ${MARKS[status]} ${title.padEnd(40)} ${paint.dim(detail)}`);
    const saidLater = findings.slice(index + 1).some((later) => later.fix === fix);
    if (fix !== undefined && !saidLater) say(wrap(`→ ${fix}`, '      '));
  }
}

/** Which labs each lane unlocks here. */
export function laneLines({ lanes }: Examination): string[] {
  const about = {
    pure: 'labs that need no Linux privileges',
    rootless: 'labs with namespaces and file systems',
    kernel: 'labs with limits, networks and the whole engine',
  };
  return (Object.keys(about) as (keyof typeof about)[]).map((lane) => {
    const count = plannedLabs.filter((lab) => lab.lane === lane).length;
    const why = lanes[lane];
    const line = `${lane.padEnd(9)} ${String(count).padStart(2)} ${about[lane]}`;
    return why === null ? `  ${MARKS.ok} ${line}` : `  ${MARKS.missing} ${line}: ${why}`;
  });
}

function unlocked({ lanes }: Examination): Record<string, boolean> {
  return Object.fromEntries(plannedLabs.map((lab) => [lab.id, lanes[lab.lane] === null]));
}
