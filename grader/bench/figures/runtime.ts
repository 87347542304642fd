import { resolve } from 'node:path';
import type { Context, Figure } from '../figure.ts';
import { median, quantile } from '../statistics.ts';
import { type Rival, timeBeside } from './beside.ts';

const OURS = resolve(import.meta.dirname, '../../../engine/runtime/oci/skiff-runtime');

async function rival({ engines }: Context, program: string): Promise<Rival> {
  const comparison = { with: `${program} run` };
  const found = await engines.runtime(program);
  if (found.value === null) return { comparison, contestant: found.reason };
  return { comparison, contestant: { every: 2, action: (round) => found.value.runTrue(`${program}${round}`) } };
}

/** What podman starts for each container. Most of ours is the start of Node, which the engine itself pays once. */
export const runtime: Figure = {
  name: 'runtime',
  title: 'skiff-runtime run of true, a bundle like runc’s',
  async run(context) {
    const ours = await context.engines.runtime(OURS);
    if (ours.value === null) throw new Error(ours.reason);
    const rivals = [await rival(context, 'runc'), await rival(context, 'crun')];
    let round = 0;
    const runTrue = () => ours.value.runTrue(`ours${round++}`);
    const { times, comparisons } = await timeBeside(context, runTrue, rivals);
    const also = { p90: quantile(times, 0.9), p99: quantile(times, 0.99) };
    return [{ title: `p50 of ${times.length}`, unit: 'ms', ours: median(times), also, comparisons }];
  },
};
