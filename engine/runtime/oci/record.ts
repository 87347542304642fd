/**
 * What is kept of a container between two commands: one directory with one document, replaced as a whole. The document
 * of the bundle is read once, by create: what becomes of the bundle's file later changes nothing.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config-document.ts';
import { checkContainerId } from './container-id.ts';
import { RuntimeError } from './error.ts';

/** A process that a pid alone does not name for good. */
export interface ProcessName {
  pid: number;
  /** Field 22 of /proc/PID/stat. */
  startTime: string;
}

export interface ContainerRecord {
  id: string;
  bundle: string;
  rootfs: string;
  /** RFC 3339. */
  created: string;
  /** A user id. */
  owner: number;
  cgroupsPath: string;
  config: Config;
  /** The process that is making, or made, the container. */
  creator: ProcessName;
  /** The container's first process, from its fork on. */
  init?: ProcessName;
}

const DOCUMENT = 'state.json';

export function directoryOf(root: string, id: string): string {
  return join(root, id);
}

/** Make the container's directory, which takes the id. @throws RuntimeError when somebody has it. */
export function claimId(root: string, id: string): string {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const directory = directoryOf(root, id);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new RuntimeError(`container with given ID already exists: ${id}. Remove it with: delete --force ${id}`);
  }
  return directory;
}

/** A reader at the same time reads the old or the new one. */
export function writeRecord(root: string, record: ContainerRecord): void {
  const path = join(directoryOf(root, record.id), DOCUMENT);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** @throws RuntimeError when there is no such container. */
export function readRecord(root: string, id: string): ContainerRecord {
  const record = findRecord(root, checkContainerId(id));
  if (record === null) throw new RuntimeError(`container does not exist: ${id}`);
  return record;
}

/** @returns null for none, or one whose making was given up before its record was written. */
export function findRecord(root: string, id: string): ContainerRecord | null {
  try {
    return JSON.parse(readFileSync(join(directoryOf(root, id), DOCUMENT), 'utf8')) as ContainerRecord;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

export function removeRecord(root: string, id: string): void {
  rmSync(directoryOf(root, id), { recursive: true, force: true });
}

export function allRecords(root: string): ContainerRecord[] {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names.sort().flatMap((name) => findRecord(root, name) ?? []);
}
