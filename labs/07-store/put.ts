/** Store standard input with your plank: `put.ts STORE`. */

import { beginBlob, openLayout } from './store.ts';

console.error('Your planks: store');
const [root = ''] = process.argv.slice(2);
openLayout(root);
const writer = beginBlob(root);
try {
  for await (const chunk of process.stdin) writer.write(chunk as Uint8Array);
  console.log(writer.finish().digest);
  await writer.publish();
} catch (error) {
  writer.abandon();
  throw error;
}
