import os from 'node:os';
import { ContainerError } from './errors.ts';

const numbers = os.constants.signals as Record<string, number>;
/** glibc keeps the first two real-time signals to itself. signal(7) */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** `SIGTERM`, `term`, `15` or `RTMIN+3` as a number, 1…64. @throws ContainerError `invalid` */
export function parseSignal(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= SIGRTMAX) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime) {
    const base = realTime[1] === 'MIN' ? SIGRTMIN : SIGRTMAX;
    const number = base + Number(`${realTime[2] ?? '+'}${realTime[3] ?? 0}`);
    if (number >= SIGRTMIN && number <= SIGRTMAX) return number;
  }
  const number = numbers[`SIG${name}`];
  if (number === undefined) throw new ContainerError('invalid', `invalid signal: ${text.slice(0, 60)}`);
  return number;
}
