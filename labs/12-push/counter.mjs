/**
 * A registry of our own, and in front of it a door that counts: `counter.mjs DIRECTORY`. DIRECTORY/host says where it is,
 * DIRECTORY/sent how many bytes clients have sent. Both end with the process.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const [directory] = process.argv.slice(2);
const skiff = fileURLToPath(new URL('../../skiff', import.meta.url));
const registry = spawn(skiff, ['registry', 'serve', '--listen', '127.0.0.1:0', '--data', `${directory}/registry`], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => registry.kill('SIGTERM'));
registry.on('close', (code) => process.exit(code ?? 1));

let port = 0;
for await (const line of createInterface({ input: registry.stdout })) {
  port = Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? 0);
  if (port > 0) break;
}

let sent = 0;
const door = net.createServer((client) => {
  const inside = net.connect(port, '127.0.0.1');
  client.on('data', (bytes) => {
    sent += bytes.length;
    writeFileSync(`${directory}/sent`, `${sent}\n`);
  });
  client.pipe(inside).pipe(client);
  for (const [one, other] of [
    [client, inside],
    [inside, client],
  ])
    one.on('error', () => other.destroy());
});
door.listen(0, '127.0.0.1');
await once(door, 'listening');
writeFileSync(`${directory}/sent`, '0\n');
writeFileSync(`${directory}/host.new`, `127.0.0.1:${door.address().port}\n`);
renameSync(`${directory}/host.new`, `${directory}/host`);
