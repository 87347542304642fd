/** The judge's end of a call of the plank: messages come, replies go. */

import { SubjectTimeout } from '../../../grader/harness/subject-error.ts';
import type { Subject } from '../../../grader/harness/suite.ts';
import type { Message, Outcome, Reply, Setup, Turn } from '../push.driver.ts';

/** What is said to a message; a promise holds it back. Messages without an id want no reply. */
export type Answering = (message: Message) => Reply | Promise<Reply> | undefined;

/** More than any right answer needs: a loop that never ends is ended. */
const MESSAGES_MOST = 20_000;

/** Call a function of the plank. @throws what `answer` throws; SubjectTimeout that names what came last */
export async function converse(subject: Subject, setup: Setup, answer: Answering): Promise<Outcome> {
  const name = `${setup.call[0]!.toUpperCase()}${setup.call.slice(1)}`;
  let turn: Turn = { setup };
  let [last, count] = ['nothing', 0];
  const failures: unknown[] = [];
  try {
    for (;;) {
      const replies: [number, Reply][] = [];
      let outcome: Outcome | undefined;
      for (const message of (await subject.call(`talkOf${name}`, turn)) as Message[]) {
        if (++count > MESSAGES_MOST)
          throw new Error(`${setup.call}() does not come to an end. The last that it asked for: ${last}.`);
        if (message.type === 'end') outcome = message.outcome;
        last = nameOf(message) ?? last;
        const said = answer(message);
        if (!('id' in message) || said === undefined) continue;
        if (!(said instanceof Promise)) replies.push([message.id, said]);
        else
          said.then(
            (late) => subject.call(`lateOf${name}`, [[message.id, late]]).catch(() => {}),
            (error) => failures.push(error),
          );
      }
      if (failures.length > 0) throw failures[0];
      if (outcome) return outcome;
      turn = { replies };
    }
  } catch (error) {
    if (!(error instanceof SubjectTimeout)) throw error;
    if (error.message.includes('was not tried')) throw error;
    throw new SubjectTimeout(
      `${setup.call}() did not return, and asked for nothing more. The last that it asked for: ${last}.`,
    );
  }
}

function nameOf(message: Message): string | undefined {
  if (message.type === 'request') return `${message.method} ${message.path}`;
  if (message.type === 'call') return `${message.name}() of the blob ${message.blob?.digest}`;
  return message.type === 'pause' ? `pause(${message.failures})` : undefined;
}
