import { which } from '../../vm/tools.ts';
import { IMAGE } from '../engines/engines.ts';
import { run } from '../engines/process.ts';
import type { Comparison, Figure } from '../figure.ts';
import { median, quantile, timeEach } from '../statistics.ts';

function timeRun(docker: string, socket: string, rounds: number): Promise<number[]> {
  const command = ['-H', `unix://${socket}`, 'run', '--rm', '--network', 'none', IMAGE, 'true'];
  return timeEach(rounds, 2, async () => {
    await run(docker, command);
  });
}

export const dockerCli: Figure = {
  name: 'docker-cli',
  title: `docker run --rm --network none ${IMAGE} true`,
  async run({ engines, progress, rounds }) {
    const budget = { budget: 0.25, stretch: 0.15 };
    const title = `${this.title}, p50`;
    const docker = which('docker');
    if (docker === undefined) {
      return [{ title, unit: 'ms', ours: null, reason: 'the docker command is not installed', comparisons: [] }];
    }
    progress('ours');
    const ours = await timeRun(docker, (await engines.skiff()).api.socket, Math.min(rounds, 40));
    progress('dockerd');
    const dockerd = await engines.dockerd();
    const beside: Comparison =
      dockerd.value === null
        ? { with: 'dockerd', value: null, reason: dockerd.reason, ...budget }
        : { with: 'dockerd', value: median(await timeRun(docker, dockerd.value.api.socket, 15)), ...budget };
    // What the command costs by itself: the part of our time that no engine can save.
    const alone = await timeEach(10, 1, async () => {
      await run(docker, ['--version']);
    });
    const also = { p90: quantile(ours, 0.9), 'docker --version': median(alone) };
    return [{ title, unit: 'ms', ours: median(ours), also, comparisons: [beside] }];
  },
};
