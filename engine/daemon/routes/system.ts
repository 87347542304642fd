import type { Call } from '../call.ts';
import { infoView, versionView } from '../views/system.ts';

/** `GET` and `HEAD /_ping`. The builder is the classic one, so that clients do not go looking for BuildKit. */
export function ping({ request, response }: Call): void {
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Builder-Version': '1',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
    'Content-Length': 2,
  });
  response.end(request.method === 'HEAD' ? undefined : 'OK');
}

/** `GET /version` */
export function version(call: Call): void {
  call.send(200, versionView());
}

/** `GET /info` */
export async function info(call: Call): Promise<void> {
  call.send(200, await infoView(call.engine));
}
