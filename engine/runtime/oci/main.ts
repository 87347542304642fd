/**
 * An OCI runtime: `skiff-runtime [OPTIONS] COMMAND [ARGUMENTS]`, for Podman, Buildah and whoever else drives runc or crun.
 * Each command is a process of its own, so each loads what it needs and no more.
 */

import { commands, describeCommands } from './commands.ts';
import { RuntimeError } from './error.ts';
import { type LogOptions, logError } from './log.ts';
import { readSettings, type Settings } from './settings.ts';
import { OCI_VERSION } from './state.ts';

async function main(): Promise<number> {
  let log: LogOptions = { format: 'text' };
  try {
    const settings = readSettings(process.argv.slice(2), process.env);
    log = settings.log;
    return await run(settings);
  } catch (error) {
    logError(log, error instanceof Error ? error.message : String(error));
    if (error instanceof RuntimeError) return error.exitCode;
    return 1;
  }
}

async function run(settings: Settings): Promise<number> {
  const [name, ...rest] = settings.line;
  if (settings.version) {
    process.stdout.write(`skiff-runtime version 0.1.0\nspec: ${OCI_VERSION}\n`);
    return 0;
  }
  if (name === undefined || settings.help || name === 'help') {
    process.stdout.write(describeCommands());
    return 0;
  }
  if (!Object.hasOwn(commands, name))
    throw new RuntimeError(`No such command: ${name}. There is ${Object.keys(commands).join(', ')}.`);
  if (settings.systemdCgroup)
    throw new RuntimeError(
      'This runtime makes control groups itself and does not ask systemd for them; leave --systemd-cgroup out (podman: --cgroup-manager cgroupfs).',
    );
  const { command } = await commands[name]!.load();
  return command(rest, settings);
}

// The end of a child comes as a signal, and Node does not stay for signals alone.
setInterval(() => {}, 2 ** 30);
void main().then((code) => process.exit(code));
