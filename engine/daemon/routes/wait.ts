import { WAIT_CONDITIONS, type WaitCondition, waitForContainer } from '../../container/wait.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';

/** `POST /containers/{id}/wait`. The headers go at once: clients start the container when they have them. */
export async function wait(call: Call): Promise<void> {
  const container = call.engine.containers.find(call.parameter('id'));
  const asked = call.query.text('condition');
  const condition = (asked === '' ? 'not-running' : asked) as WaitCondition;
  if (!WAIT_CONDITIONS.includes(condition))
    throw new ApiError(400, `invalid condition: "${asked.slice(0, 60)}". There are ${WAIT_CONDITIONS.join(', ')}.`);
  const result = waitForContainer(container, condition, call.signal);
  const response = call.stream('application/json');
  const end = await result;
  if (!end) return;
  // Who waits for the next exit is starting the container, and hears from the start itself why it failed.
  const error = end.error === '' || condition !== 'not-running' ? {} : { Error: { Message: end.error } };
  response.end(`${JSON.stringify({ StatusCode: end.exitCode, ...error })}\n`);
}
