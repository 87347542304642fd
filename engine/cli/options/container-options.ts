import fs from 'node:fs';
import { Option } from 'commander';
import { collect, type SkiffCommand } from '../command.ts';
import { CliError, errorText, UsageError } from '../errors.ts';
import {
  type ContainerOption,
  flag,
  host,
  hostBytes,
  hostList,
  hostNumber,
  many,
  number,
  one,
  plain,
} from './container-option.ts';
import type { CreateBody } from './create-body.ts';
import { environment, labels } from './environment.ts';
import { HEALTH } from './health-options.ts';
import { LIMITS, UPDATABLE } from './limit-options.ts';
import { parseMount, parseVolume } from './mounts.ts';
import { joinNetworks } from './networks.ts';
import { addPublished, exposed } from './ports.ts';

/** `soft[:hard]` after `name=`. getrlimit(2). */
function ulimit(text: string): { Name: string; Soft: number; Hard: number } {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (match === null)
    throw new UsageError(`invalid argument "${text}" for "--ulimit" flag: it must be NAME=SOFT[:HARD]`);
  const Soft = Number(match[2]);
  return { Name: match[1] as string, Soft, Hard: match[3] === undefined ? Soft : Number(match[3]) };
}

/** `net_admin` is short for `CAP_NET_ADMIN`; the API wants each once, in order. capabilities(7). */
function capabilities(names: string[]): string[] {
  const full = names
    .map((name) => name.toUpperCase())
    .map((name) => (/^(CAP_|ALL$)/.test(name) ? name : `CAP_${name}`));
  return [...new Set(full)].sort();
}

function device(text: string): { PathOnHost: string; PathInContainer: string; CgroupPermissions: string } {
  const [PathOnHost = '', second, third] = text.split(':');
  const isMode = (part: string | undefined): boolean => /^[rwm]{1,3}$/.test(part ?? '');
  const inside = second === undefined || (third === undefined && isMode(second)) ? PathOnHost : second;
  return {
    PathOnHost,
    PathInContainer: inside,
    CgroupPermissions: third ?? (isMode(second) ? (second ?? 'rwm') : 'rwm'),
  };
}

/** A seccomp profile is named as a file, and the engine gets what is in it. */
function securityOption(text: string): string {
  const file = /^seccomp[=:](.*)$/s.exec(text)?.[1];
  if (file === undefined || file === 'unconfined' || file === 'builtin') return text;
  try {
    return `seccomp=${JSON.stringify(JSON.parse(fs.readFileSync(file, 'utf8')))}`;
  } catch (error) {
    throw new CliError(`opening seccomp profile (${file}) failed: ${errorText(error)}`, 125);
  }
}

function pairs(list: string[]): Record<string, string> {
  return labels([], list);
}

const OPTIONS: ContainerOption[] = [
  ...UPDATABLE,
  ...LIMITS,
  ...HEALTH,
  hostList('--add-host <host:ip>', 'Add a custom host-to-IP mapping', 'ExtraHosts'),
  many('--cap-add <capability>', 'Add Linux capabilities', (body, value) => {
    body.HostConfig.CapAdd = capabilities(value);
  }),
  many('--cap-drop <capability>', 'Drop Linux capabilities', (body, value) => {
    body.HostConfig.CapDrop = capabilities(value);
  }),
  host('--cgroupns <mode>', 'Cgroup namespace to use (host|private)', 'CgroupnsMode'),
  many('--device <path>', 'Add a host device to the container', (body, value) => {
    body.HostConfig.Devices = value.map(device);
  }),
  hostList('--dns <address>', 'Set custom DNS servers', 'Dns'),
  hostList('--dns-option <option>', 'Set DNS options', 'DnsOptions'),
  hostList('--dns-search <domain>', 'Set custom DNS search domains', 'DnsSearch'),
  one('--domainname <name>', 'Container NIS domain name', plain, (body, value) => {
    body.Domainname = value;
  }),
  one('--entrypoint <program>', 'Overwrite the default ENTRYPOINT of the image', plain, (body, value) => {
    body.Entrypoint = [value];
  }),
  many('--expose <port>', 'Expose a port or a range of ports', (body, value) => {
    body.ExposedPorts = { ...body.ExposedPorts, ...Object.fromEntries(value.flatMap(exposed).map((p) => [p, {}])) };
  }),
  hostList('--group-add <group>', 'Add additional groups to join', 'GroupAdd'),
  one('-h, --hostname <name>', 'Container host name', plain, (body, value) => {
    body.Hostname = value;
  }),
  flag('--init', 'Run an init inside the container that forwards signals and reaps processes', (body) => {
    body.HostConfig.Init = true;
  }),
  host('--ipc <mode>', 'IPC mode to use', 'IpcMode'),
  hostList('--link <container>', 'Add link to another container', 'Links'),
  one('--log-driver <name>', 'Logging driver for the container', plain, (body, value) => {
    body.HostConfig.LogConfig = { Type: value, Config: body.HostConfig.LogConfig?.Config ?? {} };
  }),
  many('--log-opt <key=value>', 'Log driver options', (body, value) => {
    body.HostConfig.LogConfig = { Type: body.HostConfig.LogConfig?.Type ?? '', Config: pairs(value) };
  }),
  many('--mount <mount>', 'Attach a filesystem mount to the container', (body, value) => {
    body.HostConfig.Mounts = value.map(parseMount);
  }),
  hostNumber('--oom-score-adj <number>', "Tune host's OOM preferences (-1000 to 1000)", 'OomScoreAdj'),
  host('--pid <mode>', 'PID namespace to use', 'PidMode'),
  flag('--privileged', 'Give extended privileges to this container', (body) => {
    body.HostConfig.Privileged = true;
  }),
  many('-p, --publish <port>', "Publish a container's port(s) to the host", (body, value) => {
    const map = {};
    for (const each of value) addPublished(map, each);
    body.HostConfig.PortBindings = map;
    body.ExposedPorts = { ...body.ExposedPorts, ...Object.fromEntries(Object.keys(map).map((port) => [port, {}])) };
  }),
  flag('-P, --publish-all', 'Publish all exposed ports to random ports', (body) => {
    body.HostConfig.PublishAllPorts = true;
  }),
  flag('--read-only', "Mount the container's root filesystem as read only", (body) => {
    body.HostConfig.ReadonlyRootfs = true;
  }),
  flag('--rm', 'Automatically remove the container when it exits', (body) => {
    body.HostConfig.AutoRemove = true;
  }),
  host('--runtime <name>', 'Runtime to use for this container', 'Runtime'),
  many('--security-opt <option>', 'Security Options', (body, value) => {
    body.HostConfig.SecurityOpt = value.map(securityOption);
  }),
  hostBytes('--shm-size <bytes>', 'Size of /dev/shm', 'ShmSize'),
  one('--stop-signal <signal>', 'Signal to stop the container', plain, (body, value) => {
    body.StopSignal = value;
  }),
  one('--stop-timeout <seconds>', 'Timeout to stop a container', number('--stop-timeout'), (body, value) => {
    body.StopTimeout = value;
  }),
  many('--storage-opt <key=value>', 'Storage driver options for the container', (body, value) => {
    body.HostConfig.StorageOpt = pairs(value);
  }),
  many('--sysctl <key=value>', 'Sysctl options', (body, value) => {
    body.HostConfig.Sysctls = pairs(value);
  }),
  many('--tmpfs <path>', 'Mount a tmpfs directory', (body, value) => {
    const split = (text: string): [string, string] => {
      const at = text.indexOf(':');
      return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    };
    body.HostConfig.Tmpfs = Object.fromEntries(value.map(split));
  }),
  many('--ulimit <limit>', 'Ulimit options', (body, value) => {
    body.HostConfig.Ulimits = value.map(ulimit).sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }),
  one('-u, --user <user>', 'Username or UID (format: <name|uid>[:<group|gid>])', plain, (body, value) => {
    body.User = value;
  }),
  host('--userns <mode>', 'User namespace to use', 'UsernsMode'),
  host('--uts <mode>', 'UTS namespace to use', 'UTSMode'),
  many('-v, --volume <volume>', 'Bind mount a volume', (body, value) => {
    const parsedVolumes = value.map(parseVolume);
    const binds = parsedVolumes.flatMap((each) => ('bind' in each ? [each.bind] : []));
    const volumes = parsedVolumes.flatMap((each) => ('volume' in each ? [each.volume] : []));
    if (binds.length > 0) body.HostConfig.Binds = binds;
    if (volumes.length > 0) body.Volumes = Object.fromEntries(volumes.map((each) => [each, {}]));
  }),
  hostList('--volumes-from <container>', 'Mount volumes from the specified container(s)', 'VolumesFrom'),
  one('-w, --workdir <dir>', 'Working directory inside the container', plain, (body, value) => {
    body.WorkingDir = value;
  }),
];

/** The values of the options that are handled here rather than in the table. */
export interface ContainerOptions {
  attach?: string[];
  cidfile?: string;
  env?: string[];
  envFile?: string[];
  interactive?: boolean;
  label?: string[];
  labelFile?: string[];
  name?: string;
  network?: string[];
  net?: string[];
  networkAlias?: string[];
  ip?: string;
  ip6?: string;
  macAddress?: string;
  platform?: string;
  pull: string;
  quiet?: boolean;
  tty?: boolean;
  [option: string]: unknown;
}

/** Give `command` the options that `run` and `create` share. */
export function addContainerOptions(command: SkiffCommand): SkiffCommand {
  for (const { option } of OPTIONS) command.addOption(option);
  return command
    .option('-a, --attach <stream>', 'Attach to STDIN, STDOUT or STDERR', attachStream)
    .option('--cidfile <file>', 'Write the container ID to the file')
    .option('-e, --env <variable>', 'Set environment variables', collect)
    .option('--env-file <file>', 'Read in a file of environment variables', collect)
    .option('-i, --interactive', 'Keep STDIN open even if not attached')
    .option('-l, --label <label>', 'Set meta data on a container', collect)
    .option('--label-file <file>', 'Read in a line delimited file of labels', collect)
    .option('--name <name>', 'Assign a name to the container')
    .option(
      '--network <network>',
      'Connect a container to a network (none|host|container:NAME|NETWORK|name=NETWORK,alias=…,ip=…)',
      collect,
    )
    .addOption(new Option('--net <network>').argParser(collect).hideHelp())
    .option('--network-alias <name>', 'Add network-scoped alias for the container', collect)
    .option('--ip <address>', 'IPv4 address of the container')
    .option('--ip6 <address>', 'IPv6 address of the container')
    .option('--mac-address <address>', "MAC address of the container's link")
    .option('--platform <platform>', 'Set platform if the image has several')
    .option('--pull <when>', 'Pull image before running ("always", "missing", "never")', pullPolicy, 'missing')
    .option('-q, --quiet', 'Suppress the pull output')
    .option('-t, --tty', 'Allocate a pseudo-TTY');
}

function attachStream(text: string, before: string[] | undefined): string[] {
  const stream = text.toLowerCase();
  if (['stdin', 'stdout', 'stderr'].includes(stream)) return collect(stream, before);
  throw new UsageError(
    `invalid argument "${text}" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR`,
  );
}

function pullPolicy(text: string): string {
  if (['always', 'missing', 'never'].includes(text)) return text;
  throw new CliError(`skiff: invalid pull option: '${text}': must be one of "always", "missing" or "never"`, 125);
}

/** The request that the options and operands of `run` or `create` ask for. */
export function createBody(operands: string[], options: ContainerOptions): CreateBody {
  const [Image = '', ...Cmd] = operands;
  const body: CreateBody = { Image, HostConfig: {} };
  if (Cmd.length > 0) body.Cmd = Cmd;
  for (const { option, apply } of OPTIONS) {
    const value = options[option.attributeName()];
    // commander has `true` for a --no-… that is not given.
    const given = option.negate ? value === false : value !== undefined && value !== false;
    if (given) apply(body, value);
  }
  const env = environment(options.envFile ?? [], options.env ?? [], process.env);
  if (env.length > 0) body.Env = env;
  const allLabels = labels(options.labelFile ?? [], options.label ?? []);
  if (Object.keys(allLabels).length > 0) body.Labels = allLabels;
  attachStreams(body, options);
  joinNetworks(body, options);
  if (options.cidfile !== undefined) body.HostConfig.ContainerIDFile = options.cidfile;
  if (body.HostConfig.AutoRemove && (body.HostConfig.RestartPolicy?.Name ?? 'no') !== 'no') {
    throw new CliError('conflicting options: cannot specify both --restart and --rm', 125);
  }
  return body;
}

function attachStreams(body: CreateBody, options: ContainerOptions): void {
  const asked = options.attach;
  body.AttachStdin = options.interactive === true || asked?.includes('stdin') === true;
  body.AttachStdout = asked === undefined || asked.includes('stdout');
  body.AttachStderr = asked === undefined || asked.includes('stderr');
  body.OpenStdin = options.interactive === true;
  body.StdinOnce = body.OpenStdin && body.AttachStdin;
  body.Tty = options.tty === true;
}
