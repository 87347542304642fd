/** A builder of twenty lines: what a COPY came to is kept under the digest of its own text, and found there again. */

import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [context, image, cache] = process.argv.slice(2);
const steps = readFileSync(join(context, 'Dockerfile'), 'utf8').trim().split('\n');
mkdirSync(image, { recursive: true });
for (const [index, step] of steps.entries()) {
  console.log(`Step ${index + 1}/${steps.length} : ${step}`);
  const [keyword, source, destination] = step.split(' ');
  if (keyword !== 'COPY') continue;
  const layer = join(cache, createHash('sha256').update(step).digest('hex'));
  if (existsSync(layer)) console.log(' ---> Using cache');
  else cpSync(join(context, source), join(layer, destination), { recursive: true });
  cpSync(layer, image, { recursive: true });
}
