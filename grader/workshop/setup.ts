/**
 * The Debian packages the workshop can use: installed where apt and root are, said where they are not. What has been
 * tried once is not tried again; `./workshop doctor --install` does.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { which } from '../vm/tools.ts';
import { stateFolder } from './home.ts';
import { type DebianPackage, packages } from './packages.ts';
import { isInteractive, paint, say } from './terminal.ts';

export interface SetUpOptions {
  /** False with --no-install or WORKSHOP_NO_INSTALL=1. */
  install: boolean;
  /** Also what only the tests use. */
  tests?: boolean;
  /** Try again what failed or was declined before. */
  again?: boolean;
}

/** Never fails: what cannot be installed is said, with the command that would. */
export async function setUpPackages({ install, tests = false, again = false }: SetUpOptions): Promise<void> {
  const missing = packages.filter(({ program, use }) => (tests || use === 'workshop') && which(program) === undefined);
  const tried = again ? [] : alreadyTried();
  const wanted = missing.filter(({ name }) => !tried.includes(name));
  if (process.platform !== 'linux' || wanted.length === 0) return;

  say(`Debian packages that are not here yet${tests ? '' : ', none of them needed to begin'}:`);
  for (const { name, reason, use } of wanted) {
    say(`  ${paint.bold(name.padEnd(16))} ${reason}${use === 'tests' ? paint.dim(' (tests only)') : ''}`);
  }
  const command = `apt-get install --no-install-recommends ${wanted.map(({ name }) => name).join(' ')}`;
  const refusal = install ? await howToInstall() : { skip: 'you asked for no installation' };
  if ('skip' in refusal) {
    say(`Going on without them, because ${refusal.skip}. To get them: ${refusal.prefix ?? ''}${command}\n`);
    if (install) remember(wanted);
    return;
  }
  if (!runApt(refusal.prefix, wanted)) {
    say(`\nNot all of them could be installed; going on without. To try again: ./workshop doctor --install\n`);
  }
  remember(wanted.filter(({ program }) => which(program) === undefined));
}

type Way = { prefix: string[] } | { skip: string; prefix?: string };

async function howToInstall(): Promise<Way> {
  if (which('apt-get') === undefined) return { skip: 'this host has no apt-get (install what is like them)' };
  if (process.getuid?.() === 0) return { prefix: [] };
  const passwordless = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  if (!passwordless) return { skip: 'installing takes root and sudo would ask for a password', prefix: 'sudo ' };
  if (isInteractive() && !(await confirmed('Install them with sudo?'))) return { skip: 'you said no', prefix: 'sudo ' };
  return { prefix: ['sudo', '-n'] };
}

async function confirmed(message: string): Promise<boolean> {
  const { default: inquirer } = await import('inquirer');
  const { yes } = await inquirer.prompt([{ type: 'confirm', name: 'yes', message, default: true }]);
  return yes;
}

/** Whether every package is there afterwards. One that apt does not know must not keep the others away. */
function runApt(prefix: string[], wanted: DebianPackage[]): boolean {
  let complaint = '';
  const apt = (...args: string[]) => {
    const [program = 'apt-get', ...rest] = [
      ...prefix,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      '-q',
      ...args,
    ];
    const { status, stderr } = spawnSync(program, rest, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
    if (status !== 0) complaint = stderr;
    return status === 0;
  };
  const known = () => wanted.filter(({ name }) => aptKnows(name));
  process.stdout.write('Installing, which may take a minute … ');
  if (known().length < wanted.length) apt('update');
  const names = known().map(({ name }) => name);
  const install = () => names.length > 0 && apt('install', '-y', '--no-install-recommends', ...names);
  // Old package lists name versions that the mirror has no more; new lists mend that.
  const done = install() || (apt('update') && install());
  const unknown = wanted.filter(({ name, ifKnown }) => !names.includes(name) && ifKnown === undefined);
  say(done ? `done: ${names.join(', ')}.\n` : `that did not work.\n${complaint.trim()}`);
  for (const { name } of unknown) say(`  apt does not know ${name} on this release.`);
  return done && unknown.length === 0;
}

function aptKnows(name: string): boolean {
  const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' });
  return /Candidate: (?!\(none\))/.test(stdout ?? '');
}

const triedFile = path.join(stateFolder, 'packages-tried.txt');

function alreadyTried(): string[] {
  try {
    return fs.readFileSync(triedFile, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

function remember(tried: DebianPackage[]): void {
  if (tried.length === 0) return;
  fs.mkdirSync(stateFolder, { recursive: true });
  fs.writeFileSync(triedFile, `${[...new Set([...alreadyTried(), ...tried.map(({ name }) => name)])].join('\n')}\n`);
}
