import { which } from '../../vm/tools.ts';
import { IMAGE } from '../engines/engines.ts';
import { run } from '../engines/process.ts';
import type { Figure } from '../figure.ts';
import { median, quantile } from '../statistics.ts';
import { otherEngines, type Rival, timeBeside } from './beside.ts';

export const dockerCli: Figure = {
  name: 'docker-cli',
  title: `docker run --rm --network none ${IMAGE} true`,
  async run(context) {
    const docker = which('docker');
    if (docker === undefined) {
      const reason = 'the docker command is not installed';
      return [{ title: 'p50', unit: 'ms', ours: null, reason, comparisons: [] }];
    }
    const runTrue = (socket: string) => async (): Promise<void> => {
      await run(docker, ['-H', `unix://${socket}`, 'run', '--rm', '--network', 'none', IMAGE, 'true']);
    };
    const { api } = await context.engines.skiff();
    const others = await otherEngines(context, { dockerd: { budget: 0.25, stretch: 0.15 } }, async ({ socket }) =>
      runTrue(socket),
    );
    // What the command costs by itself: the part of our time that no engine can save.
    const alone: Rival = {
      comparison: { with: 'docker --version, no engine' },
      contestant: { every: 2, action: async () => void (await run(docker, ['--version'])) },
    };
    const fewer = { ...context, rounds: Math.min(context.rounds, 60) };
    const { times, comparisons } = await timeBeside(fewer, runTrue(api.socket), [...others, alone]);
    const also = { p90: quantile(times, 0.9) };
    return [{ title: `p50 of ${times.length}`, unit: 'ms', ours: median(times), also, comparisons }];
  },
};
