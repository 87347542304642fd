import { shortPath } from './home.ts';
import type { MapEntry } from './map.ts';

export interface NextStep {
  sentence: string;
  command: string;
}

/** The one thing to do now. */
export function nextStep(map: MapEntry[]): NextStep {
  const current = map.find((entry) => entry.current);
  if (current?.exists === undefined) return { sentence: 'There is no lab in this clone.', command: 'git status' };
  const { id, title } = current.lab;
  if (current.state === 'locked') {
    return { sentence: `This host cannot run ${id}: ${current.locked}.`, command: './workshop doctor' };
  }
  if (current.state === 'failing') {
    return { sentence: `${id} passed once and fails now.`, command: `./workshop check ${id}` };
  }
  if (current.state === 'begun') {
    return { sentence: `You are in ${id}: go on in ${shortPath(current.exists.file)}.`, command: './workshop watch' };
  }
  if (current.state === 'open') {
    return { sentence: `Next is ${id}: ${title}`, command: `./workshop start ${id}` };
  }
  const next = map.find(
    ({ state, locked }) => locked === null && (state === 'open' || state === 'begun' || state === 'failing'),
  );
  const done = current.state === 'skipped' ? `${id} is skipped.` : `${id} has passed.`;
  if (next !== undefined)
    return {
      sentence: `${done} Next is ${next.lab.id}: ${next.lab.title}`,
      command: `./workshop start ${next.lab.id}`,
    };
  const locked = map.filter(({ state }) => state === 'locked').map(({ lab }) => lab.id);
  const all =
    locked.length === 0
      ? 'Every lab is done.'
      : `Every lab that this host can judge is done; ${locked.join(', ')} need another host.`;
  return { sentence: `${all} Run the engine on your planks.`, command: './skiff --mine run hostbox echo hello' };
}
