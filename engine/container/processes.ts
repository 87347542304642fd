import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { promisify } from 'node:util';
import { processStat } from '#kernel/process-stat';
import { hostCgroups } from '../runtime/cgroups/host.ts';
import { userNames } from '../runtime/user.ts';
import { cgroupOf } from './cgroup.ts';
import { type Container, requireRunning } from './container.ts';
import type { Engine } from './engine.ts';
import { ContainerError } from './errors.ts';

/** A table of processes, as ps(1) prints it. */
export interface ProcessTable {
  titles: string[];
  processes: string[][];
}

/** Clock ticks a second in /proc/PID/stat: the same on every Linux that Node runs on. sysconf(3), _SC_CLK_TCK. */
const TICKS = 100;
const TITLES = ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'];

/**
 * The processes in a container, with their numbers on the host. The columns are those of `ps -ef`, which is read from
 * /proc; other columns are asked of the host's ps.
 * @throws ContainerError `conflict` when it does not run, `invalid` when ps does not understand `options`
 */
export async function listProcesses(engine: Engine, container: Container, options: string): Promise<ProcessTable> {
  requireRunning(container);
  const pids = hostCgroups().find(cgroupOf(engine.root, container.record))?.processes() ?? [container.record.pid];
  if (options !== '' && options !== '-ef') return await askPs(options, pids);
  const bootTime = Number(/^btime (\d+)/m.exec(fs.readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0);
  const host: Host = { bootTime, users: userNames() };
  return { titles: TITLES, processes: pids.sort((a, b) => a - b).flatMap((pid) => readProcess(pid, host)) };
}

interface Host {
  /** Seconds since 1970. */
  bootTime: number;
  users: Map<number, string>;
}

/** One row; none for a process that ended meanwhile. */
function readProcess(pid: number, { bootTime, users }: Host): string[][] {
  try {
    const stat = processStat(pid);
    if (stat === undefined) return [];
    const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
    const started = new Date((bootTime + Number(stat.startTime) / TICKS) * 1000);
    const cpu = Math.floor((stat.userTime + stat.systemTime) / TICKS);
    const age = Math.max(1, Date.now() / 1000 - started.getTime() / 1000);
    return [
      [
        userName(fs.statSync(`/proc/${pid}`).uid, users),
        String(pid),
        String(stat.parent),
        String(Math.min(99, Math.floor((cpu * 100) / age))),
        started.toTimeString().slice(0, 5),
        terminalName(stat.terminal),
        [cpu / 3600, (cpu / 60) % 60, cpu % 60].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':'),
        command === '' ? `[${stat.name}]` : command,
      ],
    ];
  } catch {
    return [];
  }
}

/** As ps(1) prints it: a name that is wider than its column is cut, and a plus says so. */
function userName(uid: number, users: Map<number, string>): string {
  const name = users.get(uid) ?? String(uid);
  return name.length > USER_WIDTH ? `${name.slice(0, USER_WIDTH - 1)}+` : name;
}

const USER_WIDTH = 8;

/** proc_pid_stat(5), tty_nr: minor in bits 31…20 and 7…0, major in 15…8. Pseudo-terminals are majors 136…143. */
function terminalName(number: number): string {
  const major = (number >> 8) & 0xff;
  const minor = (number & 0xff) | ((number >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${minor + (major - 136) * 256}`;
  return number === 0 ? '?' : `${major}:${minor}`;
}

async function askPs(options: string, pids: number[]): Promise<ProcessTable> {
  const { stdout } = await promisify(execFile)('ps', options.split(/\s+/).filter(Boolean)).catch((error: Error) => {
    throw new ContainerError('invalid', `ps ${options}: ${error.message.split('\n').slice(1).join(' ').trim()}`);
  });
  const [head = '', ...lines] = stdout.trimEnd().split('\n');
  const titles = head.trim().split(/\s+/);
  const column = titles.indexOf('PID');
  if (column === -1)
    throw new ContainerError('invalid', `Couldn't find PID field in ps output: add pid to its columns.`);
  const rows = lines.map((line) => {
    const words = line.trim().split(/\s+/);
    return [...words.slice(0, titles.length - 1), words.slice(titles.length - 1).join(' ')];
  });
  return { titles, processes: rows.filter((row) => pids.includes(Number(row[column]))) };
}
