import { constants } from 'node:os';
import { RuntimeError } from './error.ts';

const HIGHEST = 64;

/** `15`, `TERM` and `SIGTERM` are the same. Real-time signals are `RTMIN`, `RTMIN+3`, `RTMAX-2`. signal(7). @throws RuntimeError */
export function signalNumber(name: string): number {
  const number = /^\d+$/.test(name) ? Number(name) : numberOfName(name.toUpperCase().replace(/^SIG/, ''));
  if (number === undefined || number > HIGHEST)
    throw new RuntimeError(`unknown signal ${JSON.stringify(name)}; signals are 1 to ${HIGHEST}, or names like TERM`);
  return number;
}

function numberOfName(name: string): number | undefined {
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (!realTime) return constants.signals[`SIG${name}` as NodeJS.Signals];
  const [, end, sign, distance = '0'] = realTime;
  const number = (end === 'MIN' ? 34 : HIGHEST) + Number(`${sign ?? '+'}${distance}`);
  return number >= 34 ? number : undefined;
}
