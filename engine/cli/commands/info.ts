import { ObjectSchema } from '../api-types.ts';
import { clientVersion } from '../client-version.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { formatDocument } from '../format/document.ts';
import { bytesSize } from '../format/size.ts';
import { complain, say } from '../output.ts';

interface InfoOptions {
  format?: string;
  json?: boolean;
}

export function infoCommand({ client, location }: Context): SkiffCommand {
  return new SkiffCommand('info')
    .description('Display system-wide information')
    .operands('', 0)
    .option('-f, --format <template>', "'json', or a Go template")
    .option('--json', 'Print one JSON document')
    .examples('skiff info', "skiff info --format '{{.CgroupVersion}}'")
    .run(async (_operands, { format, json }: InfoOptions) => {
      const info = await client.json('GET', '/info', ObjectSchema);
      if (json || format) return say(formatDocument(info, json || !format ? 'json' : format));
      say(
        `Client:\n Version:    ${clientVersion().Version}\n Root:       ${location.root}\n Socket:     ${location.socket}\n`,
      );
      say(['Server:', ...serverLines(info)].join('\n'));
      for (const warning of texts(info.Warnings)) complain(warning);
    });
}

/** Docker's titles for the API's fields, in docker's order. */
const TITLES: [title: string, field: string][] = [
  [' Containers', 'Containers'],
  ['  Running', 'ContainersRunning'],
  ['  Paused', 'ContainersPaused'],
  ['  Stopped', 'ContainersStopped'],
  [' Images', 'Images'],
  [' Server Version', 'ServerVersion'],
  [' Storage Driver', 'Driver'],
  [' Logging Driver', 'LoggingDriver'],
  [' Cgroup Driver', 'CgroupDriver'],
  [' Cgroup Version', 'CgroupVersion'],
  [' Default Runtime', 'DefaultRuntime'],
  [' Kernel Version', 'KernelVersion'],
  [' Operating System', 'OperatingSystem'],
  [' OSType', 'OSType'],
  [' Architecture', 'Architecture'],
  [' CPUs', 'NCPU'],
  [' Total Memory', 'MemTotal'],
  [' Name', 'Name'],
  [' ID', 'ID'],
  [' Docker Root Dir', 'DockerRootDir'],
  [' Debug Mode', 'Debug'],
  [' Experimental', 'ExperimentalBuild'],
];

function serverLines(info: Record<string, unknown>): string[] {
  const lines: string[] = [];
  for (const [title, field] of TITLES) {
    const value = info[field];
    if (value === undefined || value === null || value === '') continue;
    lines.push(`${title}: ${field === 'MemTotal' ? bytesSize(Number(value)) : value}`);
    if (field === 'Driver') lines.push(...driverLines(info.DriverStatus));
    if (field === 'DefaultRuntime') lines.push(...securityLines(info.SecurityOptions));
  }
  return lines;
}

function driverLines(status: unknown): string[] {
  if (!Array.isArray(status)) return [];
  return status.filter(Array.isArray).map(([name, value]) => `  ${name}: ${value}`);
}

/** `name=seccomp,profile=default` is shown as the name and, below it, what belongs to it. */
function securityLines(options: unknown): string[] {
  const lines = texts(options).flatMap((option) => {
    const pairs = option.split(',').map((pair) => pair.split('='));
    return pairs.map(([key = '', value = '']) => {
      const title = `${key.charAt(0).toUpperCase()}${key.slice(1)}`;
      return key === 'name' ? `  ${value}` : `   ${title}: ${value}`;
    });
  });
  return lines.length > 0 ? [' Security Options:', ...lines] : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
