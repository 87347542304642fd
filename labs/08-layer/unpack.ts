/**
 * Unpack an archive with your plank:
 *
 *     npx tsx labs/08-layer/unpack.ts ARCHIVE DIRECTORY
 */

import { createReadStream } from 'node:fs';
import { applyLayer } from './layer.ts';

console.error('Your planks: layer');
const [archive = '', directory = ''] = process.argv.slice(2);
applyLayer(createReadStream(archive), directory, { whiteouts: 'remove' }).then(
  ({ entries, size }) => console.log(`${entries} entries, ${size} bytes`),
  (error: Error) => {
    console.error(error.message);
    process.exitCode = error.name === 'NotImplemented' ? 2 : 1;
  },
);
