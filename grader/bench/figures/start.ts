import type { Context, Figure, Result } from '../figure.ts';
import { median, quantile } from '../statistics.ts';
import { type Rival, timeBeside } from './beside.ts';

const BUDGET = { budget: 0.5, stretch: 0.25 };
const AT_ONCE = 8;

/** Start to exit of `true`, so many at a time; the milliseconds of one are those of all by their number. */
async function startToExit(context: Context, atOnce: number): Promise<Result> {
  const ours = await context.engines.shim();
  if (ours.value === null) throw new Error(ours.reason);
  let started = 0;
  const together = (run: (id: string) => Promise<void>) => async () => {
    const ids = Array.from({ length: atOnce }, () => `start-${atOnce}-${started++}`);
    await Promise.all(ids.map(run));
  };
  const rivals = await Promise.all(
    ['runc', 'crun'].map(async (program): Promise<Rival> => {
      const comparison = { with: `${program} run`, ...(program === 'runc' && BUDGET) };
      const { value, ...absent } = await context.engines.runtime(program);
      if (value === null) return { comparison, contestant: 'reason' in absent ? absent.reason : '' };
      return { comparison, contestant: { every: 2, action: together(value.runTrue) } };
    }),
  );
  const before = ours.value.cpu();
  const rounds = Math.ceil(context.rounds / atOnce);
  const { times, comparisons } = await timeBeside({ ...context, rounds }, together(ours.value.runTrue), rivals);
  for (const other of comparisons) if (other.value !== null) other.value /= atOnce;
  const after = ours.value.cpu();
  const each = times.map((time) => time / atOnce);
  const count = (rounds + 3) * atOnce;
  return {
    title: `start to exit of true, ${atOnce === 1 ? 'one after the other' : `${atOnce} at a time`}, p50 of ${rounds * atOnce}`,
    unit: 'ms',
    ours: median(each),
    also: {
      p99: quantile(each, 0.99),
      'CPU in programs': (after.user - before.user) / count,
      'CPU in the kernel': (after.system - before.system) / count,
    },
    comparisons,
  };
}

export const start: Figure = {
  name: 'start',
  title: 'the runtime alone: the shim, with the bundle that runc gets',
  run: async (context) => [await startToExit(context, 1), await startToExit(context, AT_ONCE)],
};
