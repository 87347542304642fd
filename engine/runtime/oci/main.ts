/**
 * An OCI runtime: `skiff-runtime [OPTIONS] COMMAND [ARGUMENTS]`, for Podman, Buildah and any other program that drives runc or crun.
 * Each command is a process of its own, so each loads what it needs and no more.
 */

import { commands, describeCommands } from './commands.ts';
import { RuntimeError } from './error.ts';
import { type LogOptions, logDebug, logError } from './log.ts';
import { readSettings, type Settings } from './settings.ts';
import { OCI_VERSION } from './state.ts';

/** Callers have to tell a program that ends with 1 from one that was never run. */
const EXEC_FAILED = 255;

async function main(): Promise<number> {
  let log: LogOptions = { format: 'text', debug: false };
  let failsAsExec = false;
  try {
    const settings = readSettings(process.argv.slice(2), process.env);
    log = settings.log;
    failsAsExec = settings.line[0] === 'exec';
    return await run(settings);
  } catch (error) {
    logError(log, error instanceof Error ? error.message : String(error));
    if (failsAsExec) return EXEC_FAILED;
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
  if (name === 'help' && rest[0] !== undefined) return run({ ...settings, line: [rest[0], '--help'] });
  if (name === undefined || settings.help || name === 'help') {
    process.stdout.write(describeCommands());
    return 0;
  }
  if (!Object.hasOwn(commands, name))
    throw new RuntimeError(
      `No help topic for '${name}': there is no such command. There is ${Object.keys(commands).join(', ')}.`,
    );
  if (settings.systemdCgroup)
    throw new RuntimeError(
      'This runtime makes control groups itself and does not ask systemd for them; leave --systemd-cgroup out (podman: --cgroup-manager cgroupfs).',
    );
  if (rest[0] === '-h' || rest[0] === '--help') {
    process.stdout.write(`NAME:\n   skiff-runtime ${name} - ${commands[name]!.summary}\n`);
    return 0;
  }
  const { command } = await commands[name]!.load();
  logDebug(settings.log, `${name} ${rest.join(' ')}: begins as process ${process.pid}`);
  const code = await command(rest, settings);
  logDebug(settings.log, `${name}: ends with ${code}`);
  return code;
}

// The end of a child comes as a signal, and Node does not stay for signals alone.
setInterval(() => {}, 2 ** 30);
void main().then((code) => process.exit(code));
