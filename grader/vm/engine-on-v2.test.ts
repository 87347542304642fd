import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runInVm, type VmResult, vmUnavailable } from './boot.ts';

const unavailable = vmUnavailable();

/** The lines of each section of the guest's script. */
function sections(output: string): Map<string, string[]> {
  const parts = output.split(/^== /m).slice(1);
  return new Map(
    parts.map((part) => {
      const [name = '', ...lines] = part.trimEnd().split(/ *\n/);
      return [name, lines];
    }),
  );
}

describe.skipIf(unavailable !== null)(
  `the engine on a pure cgroup v2 (${unavailable ?? 'in a virtual machine'})`,
  () => {
    let result: VmResult;
    let said: Map<string, string[]>;
    beforeAll(async () => {
      const command = `sh ${join(import.meta.dirname, 'guest', 'engine-on-v2.sh')}`;
      result = await runInVm({ command, memoryMiB: 2048, timeoutMs: 580_000 });
      said = sections(result.output);
    }, 600_000);

    test('a container is in a cgroup of its own, with the limits that were asked for', () => {
      expect(said.get('limits'), result.output).toEqual(['0::/', String(64 * 2 ** 20), '20', '50000 100000', 'exit 0']);
    });

    test('the kernel ends a container that takes more memory than it may, and the engine says so', () => {
      expect(said.get('out of memory')).toEqual(['exit 137', 'true']);
    });

    test('what exec starts is in the container’s cgroup', () => {
      expect(said.get('exec')).toEqual(['sleep 1000', 'sleep 1000']);
    });

    test('a paused container stands still, frozen by the kernel, and can be removed so', () => {
      expect(said.get('pause'), result.output).toEqual([
        ...['counter', 'frozen 1', 'paused'],
        'Error response from daemon: Container ID is paused, unpause the container before exec',
        ...['stands still', 'counter', 'frozen 0', 'counter', 'counter'],
      ]);
    });

    test('the stock docker command sets limits', () => {
      expect(said.get('docker')).toEqual([String(32 * 2 ** 20), 'exit 0']);
    });

    test('a container that forks without end is removed whole', () => {
      expect(said.get('fork bomb')).toEqual(['bomb', '0']);
    });

    test('a container with a user namespace has its limits, in cgroups that it sees and cannot change', () => {
      expect(said.get('other ids'), result.output).toEqual([
        '         0     231072      65536',
        '0::/',
        String(48 * 2 ** 20),
        'Read-only file system',
        ...['8192', '0', '0', 'exit 0'],
      ]);
    });

    test.for([
      ['ext4', 'Disk quota exceeded'],
      ['xfs', 'No space left on device'],
    ])(
      '--storage-opt size= holds on %s with project quotas, and for no other container',
      ([kind, refusal], context) => {
        const lines = said.get(`size limit on ${kind}`);
        context.skip(lines?.[0] === 'no mkfs.xfs', 'there is no mkfs.xfs here');
        expect(lines, result.output).toEqual([
          '[[Supports size limits true] [Default log options max-size=20m, max-file=5]]',
          'map[size:8m]',
          'limits: 8192',
          ...[refusal, 'free'],
          'again, under another daemon',
          ...[refusal, 'free'],
          'beside it, with another',
          ...['512+0 records out', 'free'],
          expect.stringContaining('invalid size'),
          'limits:',
          'left: 0',
        ]);
      },
    );

    test('no cgroup, mount or file of a container is left behind', () => {
      expect(said.get('left behind')).toEqual([]);
    });
  },
);
