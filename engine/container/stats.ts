import fs from 'node:fs';
import os from 'node:os';
import type { CgroupUsage } from '../runtime/cgroups/driver.ts';
import { hostCgroups, whyNoCgroups } from '../runtime/cgroups/host.ts';
import { cgroupOf } from './cgroup.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { ContainerError } from './errors.ts';
import { now } from './time.ts';

/** What a running container has used, at one moment. */
export interface Snapshot {
  /** RFC 3339 with nanoseconds. */
  read: string;
  usage: CgroupUsage;
  /** Nanoseconds that all CPUs of the host have counted since it booted, and how many there are. */
  hostCpuTime: number;
  hostCpus: number;
  /** Bytes: the container's limit or, where it has none, all there is. */
  memoryLimit: number;
  /** By interface, without the loopback. None for a container in the host's network. */
  networks: Record<string, NetworkCounters>;
}

/** Docker's names, in the order of the columns of /proc/PID/net/dev. proc_pid_net(5). */
export interface NetworkCounters {
  rx_bytes: number;
  rx_packets: number;
  rx_errors: number;
  rx_dropped: number;
  tx_bytes: number;
  tx_packets: number;
  tx_errors: number;
  tx_dropped: number;
}

/** Clock ticks a second in /proc/stat: the same on every Linux that Node runs on. sysconf(3), _SC_CLK_TCK. */
const TICK = 1e9 / 100;

/**
 * What the container uses; null when it does not run.
 * @throws ContainerError `unsupported` where nothing counts for want of control groups
 */
export function takeSnapshot(engine: Engine, container: Container): Snapshot | null {
  const why = whyNoCgroups();
  if (why !== null) throw new ContainerError('unsupported', `Nothing counts what a container uses here: ${why}`);
  const { record } = container;
  if (!container.running) return null;
  const cgroup = hostCgroups().find(cgroupOf(engine.root, record));
  if (cgroup === null) return null;
  const usage = cgroup.usage();
  return {
    read: now(),
    usage,
    hostCpuTime: hostCpuTime(),
    hostCpus: os.cpus().length,
    memoryLimit: Math.min(usage.memory.limit, os.totalmem()),
    networks: record.hostConfig.NetworkMode === 'host' ? {} : networksOf(record.pid),
  };
}

/** The sum of user, nice, system, idle, iowait, irq and softirq of the line `cpu`. proc_stat(5). */
function hostCpuTime(): number {
  const [line = ''] = fs.readFileSync('/proc/stat', 'utf8').split('\n', 1);
  const ticks = line.split(/\s+/).slice(1, 8).map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) * TICK;
}

function networksOf(pid: number): Record<string, NetworkCounters> {
  let text: string;
  try {
    text = fs.readFileSync(`/proc/${pid}/net/dev`, 'utf8');
  } catch {
    // It has ended meanwhile.
    return {};
  }
  const rows = [...text.matchAll(/^\s*(\S+):\s*(.+)$/gm)].map(([, name = '', numbers = '']) => ({
    name,
    n: numbers.trim().split(/\s+/).map(Number),
  }));
  return Object.fromEntries(
    rows
      .filter(({ name }) => name !== 'lo')
      .map(({ name, n: [rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0, , , , , ...sent] }) => {
        const [tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0] = sent;
        return [name, { rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped }];
      }),
  );
}
