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
    name: 'commit',
    summary: "Create a new image from a container's changes",
    load: async () => (await import('./commands/commit.ts')).commitCommand,
  },
  {
    name: 'container prune',
    summary: 'Remove all stopped containers',
    load: async () => (await import('./commands/prune.ts')).pruneCommand,
  },
  {
    name: 'cp',
    summary: 'Copy files/folders between a container and the local filesystem',
    load: async () => (await import('./commands/cp.ts')).cpCommand,
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
    name: 'diff',
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: async () => (await import('./commands/diff.ts')).diffCommand,
  },
  {
    name: 'events',
    summary: 'Get real time events from the daemon',
    load: async () => (await import('./commands/events.ts')).eventsCommand,
  },
  {
    name: 'export',
    summary: "Export a container's filesystem as a tar archive",
    load: async () => (await import('./commands/export.ts')).exportCommand,
  },
  {
    name: 'history',
    summary: 'Show the history of an image',
    load: async () => (await import('./commands/history.ts')).historyCommand,
  },
  {
    name: 'image prune',
    summary: 'Remove unused images',
    load: async () => (await import('./commands/image-prune.ts')).imagePruneCommand,
  },
  {
    name: 'import',
    summary: 'Import the contents from a tarball to create a filesystem image',
    load: async () => (await import('./commands/import.ts')).importCommand,
  },
  {
    name: 'inspect',
    summary: 'Return low-level information on containers, images and networks',
    load: async () => (await import('./commands/inspect.ts')).inspectCommand,
  },
  {
    name: 'kill',
    summary: 'Kill one or more running containers',
    load: async () => (await import('./commands/kill.ts')).killCommand,
  },
  {
    name: 'load',
    summary: 'Load an image from a tar archive or STDIN',
    load: async () => (await import('./commands/load.ts')).loadCommand,
  },
  {
    name: 'login',
    summary: 'Authenticate to a registry',
    load: async () => (await import('./commands/login.ts')).loginCommand,
  },
  {
    name: 'logout',
    summary: 'Log out from a registry',
    load: async () => (await import('./commands/logout.ts')).logoutCommand,
  },
  {
    name: 'logs',
    summary: 'Fetch the logs of a container',
    load: async () => (await import('./commands/logs.ts')).logsCommand,
  },
  {
    name: 'network connect',
    summary: 'Connect a container to a network',
    load: async () => (await import('./commands/network-connect.ts')).networkConnectCommand,
  },
  {
    name: 'network create',
    summary: 'Create a network',
    load: async () => (await import('./commands/network-create.ts')).networkCreateCommand,
  },
  {
    name: 'network disconnect',
    summary: 'Disconnect a container from a network',
    load: async () => (await import('./commands/network-connect.ts')).networkDisconnectCommand,
  },
  {
    name: 'network inspect',
    summary: 'Display detailed information on one or more networks',
    load: async () => (await import('./commands/network-inspect.ts')).networkInspectCommand,
  },
  {
    name: 'network ls',
    summary: 'List networks',
    load: async () => (await import('./commands/network-ls.ts')).networkLsCommand,
  },
  {
    name: 'network prune',
    summary: 'Remove all unused networks',
    load: async () => (await import('./commands/network-prune.ts')).networkPruneCommand,
  },
  {
    name: 'network rm',
    summary: 'Remove one or more networks',
    load: async () => (await import('./commands/network-rm.ts')).networkRmCommand,
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
    name: 'port',
    summary: 'List port mappings or a specific mapping for the container',
    load: async () => (await import('./commands/port.ts')).portCommand,
  },
  {
    name: 'registry check',
    summary: 'Read back everything a registry stores, and name what is damaged',
    load: async () => (await import('./commands/registry.ts')).registryCheckCommand,
  },
  {
    name: 'registry gc',
    summary: 'Remove what no manifest of a registry refers to',
    load: async () => (await import('./commands/registry.ts')).registryGcCommand,
  },
  {
    name: 'registry serve',
    summary: 'Run a registry in the foreground',
    load: async () => (await import('./commands/registry.ts')).registryServeCommand,
  },
  {
    name: 'pull',
    summary: 'Download an image from a registry',
    load: async () => (await import('./commands/pull.ts')).pullCommand,
  },
  {
    name: 'push',
    summary: 'Upload an image to a registry',
    load: async () => (await import('./commands/push.ts')).pushCommand,
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
    name: 'save',
    summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
    load: async () => (await import('./commands/save.ts')).saveCommand,
  },
  {
    name: 'search',
    summary: 'Search Docker Hub for images',
    load: async () => (await import('./commands/search.ts')).searchCommand,
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
    name: 'system df',
    summary: 'Show disk usage of images, containers, volumes and the build cache',
    load: async () => (await import('./commands/system-df.ts')).systemDfCommand,
  },
  {
    name: 'system prune',
    summary: 'Remove unused data',
    load: async () => (await import('./commands/system-prune.ts')).systemPruneCommand,
  },
  {
    name: 'tag',
    summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
    load: async () => (await import('./commands/tag.ts')).tagCommand,
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
    name: 'volume create',
    summary: 'Create a volume',
    load: async () => (await import('./commands/volume-create.ts')).volumeCreateCommand,
  },
  {
    name: 'volume inspect',
    summary: 'Display detailed information on one or more volumes',
    load: async () => (await import('./commands/volume-inspect.ts')).volumeInspectCommand,
  },
  {
    name: 'volume ls',
    summary: 'List volumes',
    load: async () => (await import('./commands/volume-ls.ts')).volumeLsCommand,
  },
  {
    name: 'volume prune',
    summary: 'Remove unused local volumes',
    load: async () => (await import('./commands/volume-prune.ts')).volumePruneCommand,
  },
  {
    name: 'volume rm',
    summary: 'Remove one or more volumes',
    load: async () => (await import('./commands/volume-rm.ts')).volumeRmCommand,
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
      'attach commit create diff exec export inspect kill logs pause port rename restart rm run start stats stop top unpause update wait ps'
        .split(' ')
        .map((name) => [name, name]),
    ),
    prune: 'container prune',
    ls: 'ps',
    list: 'ps',
    remove: 'rm',
  },
  builder: { build: 'build', prune: 'builder prune' },
  image: {
    ...Object.fromEntries(
      'build history import inspect load pull push save tag'.split(' ').map((name) => [name, name]),
    ),
    ls: 'images',
    list: 'images',
    rm: 'rmi',
    remove: 'rmi',
    prune: 'image prune',
  },
  volume: {
    create: 'volume create',
    inspect: 'volume inspect',
    ls: 'volume ls',
    list: 'volume ls',
    rm: 'volume rm',
    remove: 'volume rm',
    prune: 'volume prune',
  },
  network: {
    connect: 'network connect',
    create: 'network create',
    disconnect: 'network disconnect',
    inspect: 'network inspect',
    ls: 'network ls',
    list: 'network ls',
    rm: 'network rm',
    remove: 'network rm',
    prune: 'network prune',
  },
  registry: { serve: 'registry serve', check: 'registry check', gc: 'registry gc' },
  system: { info: 'info', events: 'events', df: 'system df', prune: 'system prune' },
};
