/** The judge's end of a call of the plank: messages come, replies go. */

import { SubjectTimeout } from '../../../grader/harness/subject-error.ts';
import type { Subject } from '../../../grader/harness/suite.ts';
import type { Message, Outcome, Reply, Setup } from '../push.driver.ts';

/** What is said to a message; a promise holds it back. Messages without an id want no reply. */
export type Answering = (message: Message) => Reply | Promise<Reply> | undefined;

/** Call a function of the plank. @throws what `answer` throws; SubjectTimeout that names what came last */
export async function converse(subject: Subject, setup: Setup, answer: Answering): Promise<Outcome> {
  const outcome = subject.call('run', setup) as Promise<Outcome>;
  outcome.catch(() => {});
  let last = 'nothing';
  const failures: unknown[] = [];
  try {
    for (let isOver = false; !isOver; ) {
      const replies: [number, Reply][] = [];
      for (const message of (await subject.call('messages')) as Message[]) {
        if (message.type === 'end') isOver = true;
        last = nameOf(message) ?? last;
        const said = answer(message);
        if (!('id' in message) || said === undefined) continue;
        if (!(said instanceof Promise)) replies.push([message.id, said]);
        else
          said.then(
            (late) => subject.call('reply', [[message.id, late]]).catch(() => {}),
            (error) => failures.push(error),
          );
      }
      if (failures.length > 0) throw failures[0];
      if (replies.length > 0) await subject.call('reply', replies);
    }
    return await outcome;
  } catch (error) {
    if (!(error instanceof SubjectTimeout)) throw error;
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
