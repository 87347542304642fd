/** A bundle: a directory with a config.json and, mostly, a root file system. bundle.md. */

import { lstatSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { type Config, parseConfig } from './config-document.ts';
import { RuntimeError } from './error.ts';
import { readDocument } from './json.ts';
import { refuseUnsupported } from './unsupported.ts';

export interface Bundle {
  /** Absolute, without symbolic links. */
  path: string;
  config: Config;
  rootfs: string;
}

/** @throws RuntimeError when there is none, or none this runtime can run. */
export function readBundle(directory: string): Bundle {
  const path = resolved(resolve(directory), 'The bundle');
  const document = readDocument(join(path, 'config.json'));
  refuseUnsupported(document);
  const config = parseConfig(document);
  return { path, config, rootfs: findRootfs(path, config.root.path) };
}

/**
 * A bundle comes from somebody else, who is not to choose a directory of the host by a symbolic link in it. Only what
 * leads to an absolute path may be links: that was written by the author of the document.
 */
function findRootfs(bundle: string, path: string): string {
  const wanted = isAbsolute(path) ? join(resolved(dirname(path), 'root.path'), basename(path)) : join(bundle, path);
  const rootfs = resolved(wanted, 'root.path');
  if (rootfs !== wanted.replace(/(.)\/$/, '$1') || lstatSync(wanted).isSymbolicLink())
    throw new RuntimeError(`config.json: root.path leads by a symbolic link to ${rootfs}; name that directory itself.`);
  if (rootfs === sep || (rootfs !== bundle && `${bundle}${sep}`.startsWith(`${rootfs}${sep}`)))
    throw new RuntimeError(
      `config.json: root.path is ${rootfs}, which holds the bundle itself; use a directory in it.`,
    );
  if (!statSync(rootfs).isDirectory()) throw new RuntimeError(`config.json: root.path ${rootfs} is not a directory.`);
  return rootfs;
}

function resolved(path: string, what: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw new RuntimeError(`${what} ${path} cannot be used: ${(error as Error).message}`);
  }
}
