import { inject } from 'vitest';
import { Session, type SessionAddress } from './session.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The session of the judging process; a suite that runs by itself opens its own. */
    skiffSession?: SessionAddress;
    /** There can be no sandbox, for this reason. */
    skiffNoSandbox?: string;
    /** The suite may run its subject without one. */
    skiffPlain?: boolean;
  }
}

let session: Promise<Session> | undefined;
let joined: string | undefined;

/** The session that subjects of this process live in. */
export function currentSession(): Promise<Session> {
  const address = inject('skiffSession');
  if (session === undefined || address?.directory !== joined) {
    joined = address?.directory;
    session = address === undefined ? Session.open() : Session.join(address);
  }
  return session;
}
