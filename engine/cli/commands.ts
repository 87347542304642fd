import type { SkiffCommand } from './command.ts';
import type { Context } from './context.ts';

export interface CommandEntry {
  name: string;
  summary: string;
  /** The command itself, loaded only when it is asked for: what is not loaded costs no time at start. */
  load: () => Promise<(context: Context) => SkiffCommand>;
}

export const COMMANDS: CommandEntry[] = [
  {
    name: 'run',
    summary: 'Create and run a new container from an image',
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  {
    name: 'exec',
    summary: 'Execute a command in a running container',
    load: async () => (await import('./commands/exec.ts')).execCommand,
  },
  { name: 'ps', summary: 'List containers', load: async () => (await import('./commands/ps.ts')).psCommand },
  {
    name: 'images',
    summary: 'List images',
    load: async () => (await import('./commands/images.ts')).imagesCommand,
  },
  {
    name: 'version',
    summary: 'Show the versions of skiff and its daemon',
    load: async () => (await import('./commands/version.ts')).versionCommand,
  },
  {
    name: 'info',
    summary: 'Display system-wide information',
    load: async () => (await import('./commands/info.ts')).infoCommand,
  },
  {
    name: 'attach',
    summary: 'Attach local standard input, output, and error streams to a running container',
    load: async () => (await import('./commands/attach.ts')).attachCommand,
  },
  {
    name: 'build',
    summary: 'Build an image from a Dockerfile',
    load: async () => (await import('./commands/build.ts')).buildCommand,
  },
  {
    name: 'builder prune',
    summary: 'Remove the build cache',
    load: async () => (await import('./commands/builder-prune.ts')).builderPruneCommand,
  },
  {
    name: 'create',
    summary: 'Create a new container',
    load: async () => (await import('./commands/create.ts')).createCommand,
  },
  {
    name: 'daemon',
    summary: 'Run the daemon in the foreground',
    load: async () => (await import('./commands/daemon.ts')).daemonCommand,
  },
  {
    name: 'events',
    summary: 'Get real time events from the daemon',
    load: async () => (await import('./commands/events.ts')).eventsCommand,
  },
  {
    name: 'inspect',
    summary: 'Return low-level information on containers and images',
    load: async () => (await import('./commands/inspect.ts')).inspectCommand,
  },
  {
    name: 'kill',
    summary: 'Kill one or more running containers',
    load: async () => (await import('./commands/kill.ts')).killCommand,
  },
  {
    name: 'logs',
    summary: 'Fetch the logs of a container',
    load: async () => (await import('./commands/logs.ts')).logsCommand,
  },
  {
    name: 'pause',
    summary: 'Pause all processes within one or more containers',
    load: async () => (await import('./commands/pause.ts')).pauseCommand,
  },
  {
    name: 'ping',
    summary: 'Ask the daemon whether it is there',
    load: async () => (await import('./commands/ping.ts')).pingCommand,
  },
  {
    name: 'container prune',
    summary: 'Remove all stopped containers',
    load: async () => (await import('./commands/prune.ts')).pruneCommand,
  },
  {
    name: 'rename',
    summary: 'Rename a container',
    load: async () => (await import('./commands/rename.ts')).renameCommand,
  },
  {
    name: 'restart',
    summary: 'Restart one or more containers',
    load: async () => (await import('./commands/restart.ts')).restartCommand,
  },
  {
    name: 'rm',
    summary: 'Remove one or more containers',
    load: async () => (await import('./commands/rm.ts')).rmCommand,
  },
  {
    name: 'rmi',
    summary: 'Remove one or more images',
    load: async () => (await import('./commands/rmi.ts')).rmiCommand,
  },
  {
    name: 'start',
    summary: 'Start one or more stopped containers',
    load: async () => (await import('./commands/start.ts')).startCommand,
  },
  {
    name: 'stats',
    summary: 'Display a live stream of container(s) resource usage statistics',
    load: async () => (await import('./commands/stats.ts')).statsCommand,
  },
  {
    name: 'stop',
    summary: 'Stop one or more running containers',
    load: async () => (await import('./commands/stop.ts')).stopCommand,
  },
  {
    name: 'top',
    summary: 'Display the running processes of a container',
    load: async () => (await import('./commands/top.ts')).topCommand,
  },
  {
    name: 'unpause',
    summary: 'Unpause all processes within one or more containers',
    load: async () => (await import('./commands/pause.ts')).unpauseCommand,
  },
  {
    name: 'update',
    summary: 'Update configuration of one or more containers',
    load: async () => (await import('./commands/update.ts')).updateCommand,
  },
  {
    name: 'wait',
    summary: 'Block until one or more containers stop, then print their exit codes',
    load: async () => (await import('./commands/wait.ts')).waitCommand,
  },
];

/** `skiff container ls` and the like: docker's longer names of the same commands. */
export const GROUPS: Record<string, Record<string, string>> = {
  container: {
    ...Object.fromEntries(
      'attach create exec inspect kill logs pause rename restart rm run start stats stop top unpause update wait ps'
        .split(' ')
        .map((name) => [name, name]),
    ),
    prune: 'container prune',
    ls: 'ps',
    list: 'ps',
    remove: 'rm',
  },
  builder: { build: 'build', prune: 'builder prune' },
  image: { build: 'build', ls: 'images', list: 'images', rm: 'rmi', remove: 'rmi', inspect: 'inspect' },
  system: { info: 'info', events: 'events' },
};
