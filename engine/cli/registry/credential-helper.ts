/**
 * Programs that keep passwords: `docker-credential-NAME get|store|erase|list`. What is secret goes through standard input
 * and output, never through arguments.
 */

import { spawn } from 'node:child_process';
import * as z from 'zod/mini';
import { CliError, errorCode, errorText } from '../errors.ts';
import { printable } from '../output.ts';

const Kept = z.looseObject({ Username: z._default(z.string(), ''), Secret: z._default(z.string(), '') });
const Listed = z.nullable(z.record(z.string(), z.string()));

export interface KeptSecret {
  /** `<token>` says that the secret is an identity token. */
  username: string;
  secret: string;
}

/** How the helpers say that they have nothing; both are on standard output, with exit code 1. */
const NOTHING = /credentials not found in native keychain|no credentials server URL|no credentials username/;

/** What the helper has for a server, or undefined. @throws CliError */
export async function getSecret(helper: string, server: string): Promise<KeptSecret | undefined> {
  const answer = await ask(helper, 'get', server);
  if (answer === undefined) return undefined;
  const { Username, Secret } = parse(helper, 'get', answer, Kept);
  return { username: Username, secret: Secret };
}

/** @throws CliError */
export async function storeSecret(helper: string, server: string, { username, secret }: KeptSecret): Promise<void> {
  await ask(helper, 'store', JSON.stringify({ ServerURL: server, Username: username, Secret: secret }));
}

/** What is not there is gone already. @throws CliError */
export async function eraseSecret(helper: string, server: string): Promise<void> {
  await ask(helper, 'erase', server);
}

/** The servers that the helper has something for. @throws CliError */
export async function listServers(helper: string): Promise<string[]> {
  const answer = await ask(helper, 'list', '');
  return answer === undefined ? [] : Object.keys(parse(helper, 'list', answer, Listed) ?? {});
}

/** @returns what it writes, or undefined if it has nothing. */
async function ask(helper: string, verb: string, input: string): Promise<string | undefined> {
  if (!/^[\w.-]+$/.test(helper))
    throw new CliError(`"${helper}" in the docker configuration is not the name of a credential helper`);
  const program = `docker-credential-${helper}`;
  const { code, output, errors } = await run(program, verb, input);
  if (code === 0) return output;
  if (NOTHING.test(output)) return undefined;
  const why = printable((errors.trim() || output.trim()).slice(0, 300)) || 'it says nothing';
  // A helper may repeat what it was given.
  const said = verb === 'store' ? '' : `: ${why}`;
  throw new CliError(`the credential helper ${program} ${verb} failed with exit code ${code}${said}`);
}

async function run(program: string, verb: string, input: string) {
  const child = spawn(program, [verb], { stdio: ['pipe', 'pipe', 'pipe'] });
  const [output, errors]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  // A helper that does not read is told nothing; its exit code says what came of it.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return await new Promise<{ code: number; output: string; errors: string }>((resolve, reject) => {
    child.on('error', (error) =>
      reject(
        new CliError(
          errorCode(error) === 'ENOENT'
            ? `the credential helper ${program} is not installed: install it, or take it out of the docker configuration`
            : `the credential helper ${program} cannot be run: ${errorText(error)}`,
        ),
      ),
    );
    child.on('close', (code) =>
      resolve({ code: code ?? -1, output: Buffer.concat(output).toString(), errors: Buffer.concat(errors).toString() }),
    );
  });
}

function parse<T>(helper: string, verb: string, text: string, schema: { parse(value: unknown): T }): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new CliError(`the credential helper docker-credential-${helper} ${verb} answers what is not its protocol`);
  }
}
