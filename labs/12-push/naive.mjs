/** A client of a few lines: `naive.mjs HOST REPOSITORY LAYER` sends a layer, whether the registry has it or not. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [host, repository, layer] = process.argv.slice(2);
const bytes = readFileSync(layer);
const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const begun = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
const location = new URL(begun.headers.get('location'), begun.url);
location.searchParams.set('digest', digest);
const headers = { 'content-type': 'application/octet-stream' };
const { status } = await fetch(location, { method: 'PUT', headers, body: bytes });
if (status !== 201) throw new Error(`The registry answered ${status}.`);
