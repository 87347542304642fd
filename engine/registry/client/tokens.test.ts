import { afterEach, beforeEach, expect, test } from 'vitest';
import { RecordingRegistry } from '../testing/recording-registry.ts';
import { Dispatchers } from './dispatchers.ts';
import { Tokens } from './tokens.ts';

let server: RecordingRegistry;
let dispatchers: Dispatchers;
beforeEach(async () => {
  server = await RecordingRegistry.start();
  dispatchers = new Dispatchers([]);
});
afterEach(async () => {
  await dispatchers.close();
  await server.close();
});

test('a token server that never ends its answer is given up, by its own fault', async () => {
  server.tricks.push((_, response) => {
    response.writeHead(200);
    response.write(' ');
    return true;
  });
  const request = {
    parameters: new Map([['realm', `http://${server.host}/token`]]),
    scopes: [],
    credentials: {},
    registry: new URL(`http://${server.host}/v2/`),
  };
  const failed = new Tokens(dispatchers, { patience: 300 }).get(request, { registry: 'here', step: 'pull' });
  await expect(failed).rejects.toMatchObject({
    kind: 'unreachable',
    message: `cannot pull (log in at the token server ${server.host}) (registry here): ${server.host}: its answer did not end within 0.3 seconds`,
  });
});
