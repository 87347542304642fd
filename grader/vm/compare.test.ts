import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { vmUnavailable } from './boot.ts';
import { compareVmAndContainer } from './compare.ts';

const unavailable = vmUnavailable() ?? (process.getuid?.() === 0 ? null : 'needs root');

describe.skipIf(unavailable !== null)(`a virtual machine and a container (${unavailable ?? 'measured'})`, () => {
  test('differ in kernel, weight and time to start', async () => {
    const { hostKernel, vm, container, engineMemoryBytes, containerInVm } = await compareVmAndContainer();
    expect(container.kernel).toBe(hostKernel);
    expect(vm.kernel).not.toBe(hostKernel);
    expect(containerInVm).toEqual({ kernel: vm.kernel, exitCode: 0 });

    expect(container.firstOutputMs).toBeLessThan(vm.firstOutputMs);
    expect(container.memoryBytes).toBeGreaterThan(0);
    expect(container.memoryBytes).toBeLessThan(vm.memoryBytes);
    expect(engineMemoryBytes).toBeGreaterThan(container.memoryBytes);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('skiff-compare-'))).toEqual([]);
  });
});
