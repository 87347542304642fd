/** The key pair that reports are signed with: Ed25519, RFC 8032, as PEM files that openssl reads too. */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BadInput } from '../bad-input.ts';

/** It never leaves the instructor's machine: with this file anybody can sign. */
export const PRIVATE_KEY = 'grading-key.pem';
export const PUBLIC_KEY = 'grading-key.pub.pem';
const LARGEST = 16 << 10;

/** @throws BadInput if either file is there already: a new key would make every older signature worthless. */
export function makeKeys(folder: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const files = [
    { file: path.join(folder, PRIVATE_KEY), text: privateKey.export({ type: 'pkcs8', format: 'pem' }), mode: 0o600 },
    { file: path.join(folder, PUBLIC_KEY), text: publicKey.export({ type: 'spki', format: 'pem' }), mode: 0o644 },
  ];
  for (const { file } of files)
    if (fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined)
      throw new BadInput(`${file} is there already, and is kept. Give another directory.`);
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const { file, text, mode } of files) fs.writeFileSync(file, text, { flag: 'wx', mode });
  } catch (error) {
    throw new BadInput(`The keys cannot be written to ${folder}: ${(error as Error).message}`);
  }
}

/** @throws BadInput unless it is the PEM file of an Ed25519 private key without a password */
export function readPrivateKey(file: string): KeyObject {
  return keyOf(file, createPrivateKey, 'private');
}

/** @throws BadInput unless it is the PEM file of an Ed25519 public key */
export function readPublicKey(file: string): KeyObject {
  const key = keyOf(file, (text) => publicOnly(text, file), 'public');
  return key;
}

/** A private key would do, but has no business where signatures are checked. */
function publicOnly(text: string, file: string): KeyObject {
  if (text.includes('PRIVATE KEY'))
    throw new BadInput(`${file} is a private key. Give the public one, ${PUBLIC_KEY}, and keep this one secret.`);
  return createPublicKey(text);
}

function keyOf(file: string, read: (text: string) => KeyObject, kind: 'private' | 'public'): KeyObject {
  const wanted = `the PEM file of an Ed25519 ${kind} key, as ./grade keygen makes it`;
  let key: KeyObject;
  try {
    const { size } = fs.statSync(file);
    if (size > LARGEST) throw new Error(`it has ${size} bytes`);
    key = read(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof BadInput) throw error;
    throw new BadInput(`${file} is not ${wanted}: ${(error as Error).message}`);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new BadInput(`${file} is not ${wanted}: it is of the type ${key.asymmetricKeyType}.`);
  return key;
}
