import { emitContainerEvent } from '../../container/engine.ts';
import type { ProcessKey } from '../../runtime/shim/protocol.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';

/** The size a terminal is to have: `h` and `w`, in characters. */
export async function resizeTerminal(call: Call, key: ProcessKey): Promise<void> {
  const range = { min: 0, max: 65_535 };
  const height = call.query.integer('h', range);
  const width = call.query.integer('w', range);
  if (height === undefined || width === undefined) throw new ApiError(400, 'a resize needs both h and w');
  await call.engine.shim.request('resize', { key, height, width });
  const container = call.engine.containers.get(key.container);
  if (container && key.exec === undefined)
    emitContainerEvent(call.engine, container, 'resize', { height: String(height), width: String(width) });
  call.sendNothing(200);
}
