/** Credentials where the docker command keeps them: in its configuration, or with the helper that this names. */

import { CliError } from '../errors.ts';
import { complain } from '../output.ts';
import { HUB_KEY, keyOfEntry, keyOfImage, serverKey } from './addresses.ts';
import { type ConfigDocument, type ConfigEntry, configPath, readConfig, writeConfig } from './config-file.ts';
import { eraseSecret, getSecret, listServers, storeSecret } from './credential-helper.ts';

/** As the API takes it. Docker Engine API, "Authentication". */
export interface AuthConfig {
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
  serveraddress: string;
}

/** A helper keeps identity tokens under this name. */
const TOKEN_USER = '<token>';
/** What docker keeps beside the login for Docker Hub after a login in the browser. */
const HUB_TOKENS = [`${HUB_KEY}access-token`, `${HUB_KEY}refresh-token`];

/** @param key as `serverKey` gives it. @returns undefined if nobody is logged in. @throws CliError */
export async function credentialsFor(key: string): Promise<AuthConfig | undefined> {
  const config = readConfig(configPath());
  return await inConfig(config, key);
}

async function inConfig(config: ConfigDocument, key: string): Promise<AuthConfig | undefined> {
  const helper = helperOf(config, key);
  if (helper === undefined) return fromEntry(key, entryOf(config, key));
  const kept = await getSecret(helper, key);
  if (kept === undefined) return undefined;
  return kept.username === TOKEN_USER
    ? { serveraddress: key, identitytoken: kept.secret }
    : { serveraddress: key, username: kept.username, password: kept.secret };
}

/**
 * Everything there is for registries, by key: for a build, which may pull from anywhere. A login that cannot be had is
 * warned of.
 * @throws CliError
 */
export async function allCredentials(): Promise<Record<string, AuthConfig>> {
  const config = readConfig(configPath());
  const keys = new Set(Object.keys(config.auths ?? {}).concat(Object.keys(config.credHelpers ?? {})));
  const { credsStore } = config;
  const servers = credsStore ? await unlessWarned(() => listServers(credsStore)) : undefined;
  for (const server of servers ?? []) keys.add(server);
  const all: Record<string, AuthConfig> = {};
  for (const key of keys) {
    if (keyOfEntry(key) === undefined) continue;
    const found = await unlessWarned(() => inConfig(config, key));
    if (found !== undefined) all[key] = found;
  }
  return all;
}

/** @returns the file that now has them in readable form; undefined if a helper keeps them. @throws CliError */
export async function storeCredentials(auth: AuthConfig): Promise<string | undefined> {
  const file = configPath();
  const config = readConfig(file);
  const key = auth.serveraddress;
  const helper = helperOf(config, key);
  const { username = '', password = '', identitytoken } = auth;
  if (helper !== undefined) {
    const isToken = identitytoken !== undefined;
    await storeSecret(helper, key, {
      username: isToken ? TOKEN_USER : username,
      secret: isToken ? identitytoken : password,
    });
    // An empty entry says that there is a login, as docker has it.
    writeConfig(file, { ...config, auths: { ...config.auths, [key]: {} } });
    return undefined;
  }
  const secret = identitytoken === undefined ? password : '';
  const entry: ConfigEntry = {
    auth: Buffer.from(`${username}:${secret}`).toString('base64'),
    ...(identitytoken !== undefined && { identitytoken }),
  };
  writeConfig(file, { ...config, auths: { ...config.auths, [key]: entry } });
  return file;
}

/** @returns whether there were any. @throws CliError */
export async function eraseCredentials(key: string): Promise<boolean> {
  const file = configPath();
  const config = readConfig(file);
  const helper = helperOf(config, key);
  const names = Object.keys(config.auths ?? {}).filter((name) => name === key || serverKey(name) === key);
  let had = names.length > 0;
  for (const each of helper === undefined ? [] : [key, ...(key === HUB_KEY ? HUB_TOKENS : [])]) {
    if ((await getSecret(helper!, each)) === undefined) continue;
    had = true;
    await eraseSecret(helper!, each);
  }
  if (names.length > 0) {
    const auths = Object.fromEntries(Object.entries(config.auths ?? {}).filter(([name]) => !names.includes(name)));
    writeConfig(file, { ...config, auths });
  }
  return had;
}

/** The header that requests about one image carry. */
export function registryAuth(reference: string): Promise<Record<string, string>> {
  return authHeader(keyOfImage(reference));
}

/** Without a login it says so; one that cannot be had is warned of. @throws CliError */
export async function authHeader(key: string): Promise<Record<string, string>> {
  const config = readConfig(configPath());
  return { 'X-Registry-Auth': encode((await unlessWarned(() => inConfig(config, key))) ?? {}) };
}

/** The header that builds carry. @throws CliError */
export async function registryConfig(): Promise<Record<string, string>> {
  return { 'X-Registry-Config': encode(await allCredentials()) };
}

/** A broken place for logins says nothing about whether a registry wants one. */
async function unlessWarned<T>(find: () => Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    complain(`WARNING! ${error.message}. Going on without this login.`);
    return undefined;
  }
}

/** RFC 4648, section 5. */
function encode(document: unknown): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url');
}

function helperOf({ credHelpers, credsStore }: ConfigDocument, key: string): string | undefined {
  const own = credHelpers && Object.hasOwn(credHelpers, key) ? credHelpers[key] : undefined;
  return own || credsStore || undefined;
}

function entryOf({ auths }: ConfigDocument, key: string): ConfigEntry | undefined {
  if (!auths) return undefined;
  if (Object.hasOwn(auths, key)) return auths[key];
  return Object.entries(auths).find(([name]) => keyOfEntry(name) === key)?.[1];
}

function fromEntry(key: string, entry: ConfigEntry | undefined): AuthConfig | undefined {
  if (entry === undefined) return undefined;
  const { identitytoken, registrytoken } = entry;
  const { username, password } = entry.auth ? decoded(key, entry.auth) : entry;
  if (!username && !identitytoken && !registrytoken) return undefined;
  return {
    serveraddress: key,
    ...(username && { username }),
    ...(password && { password }),
    ...(identitytoken && { identitytoken }),
    ...(registrytoken && { registrytoken }),
  };
}

function decoded(key: string, auth: string): { username: string; password: string } {
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 1) throw new CliError(`the login for ${key} in ${configPath()} is damaged: run skiff login ${key}`);
  // Some writers of the file ended it with a NUL.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}
