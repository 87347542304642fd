/** `config.json` of the docker command, which skiff shares: what of it concerns registries. Everything else stays as it is. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as z from 'zod/mini';
import { CliError, errorCode, errorText } from '../errors.ts';

const Entry = z.looseObject({
  /** base64 of `USER:PASSWORD`. */
  auth: z.optional(z.string()),
  username: z.optional(z.string()),
  password: z.optional(z.string()),
  identitytoken: z.optional(z.string()),
  registrytoken: z.optional(z.string()),
});
export type ConfigEntry = z.infer<typeof Entry>;

const Config = z.looseObject({
  auths: z.optional(z.nullable(z.record(z.string(), Entry))),
  credsStore: z.optional(z.string()),
  credHelpers: z.optional(z.nullable(z.record(z.string(), z.string()))),
});
export type ConfigDocument = z.infer<typeof Config>;

/** `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return path.join(env.DOCKER_CONFIG || path.join(os.homedir(), '.docker'), 'config.json');
}

/** A file that is missing or empty is an empty document. @throws CliError when it cannot be read or makes no sense */
export function readConfig(file: string): ConfigDocument {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return {};
    throw new CliError(`the configuration ${file} cannot be read: ${errorText(error)}`);
  }
  if (text.trim() === '') return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own sentence quotes the text, and passwords stand in it.
    throw new CliError(`the configuration ${file} is not JSON: correct it, or move it away and log in again`);
  }
  const parsed = Config.safeParse(json);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') || 'its top';
  throw new CliError(`the configuration ${file} is not what docker writes: ${where} has the wrong type`);
}

/**
 * Replace the file as a whole; a link stays a link. Others may not read a new one.
 * @throws CliError when it cannot be written.
 */
export function writeConfig(file: string, document: ConfigDocument): void {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const target = realPath(file);
    const mode = modeOf(target);
    const scratch = `${target}.${process.pid}`;
    try {
      fs.writeFileSync(scratch, `${JSON.stringify(document, null, '\t')}\n`, { mode: 0o600, flag: 'wx' });
      fs.chmodSync(scratch, mode);
      fs.renameSync(scratch, target);
    } catch (error) {
      fs.rmSync(scratch, { force: true });
      throw error;
    }
  } catch (error) {
    throw new CliError(`the configuration ${file} cannot be written: ${errorText(error)}`);
  }
}

function realPath(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    return file;
  }
}

function modeOf(file: string): number {
  try {
    return fs.statSync(file).mode & 0o777;
  } catch {
    return 0o600;
  }
}
