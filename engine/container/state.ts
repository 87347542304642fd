/** The life of a container as a pure function: which event leads where, and which cannot happen. */

export type Status = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead' | 'removing';

export type LifeEvent =
  | 'start'
  | 'pause'
  | 'unpause'
  | 'exit'
  | 'back-off'
  | 'give-up'
  | 'start-failed'
  | 'remove'
  | 'remove-failed';

/** A state has no row for an event that cannot happen in it. */
const TRANSITIONS: Record<Status, Partial<Record<LifeEvent, Status>>> = {
  created: { start: 'running', 'start-failed': 'created', remove: 'removing' },
  running: { pause: 'paused', exit: 'exited' },
  // Its processes stand still. It still runs, as Docker has it: its end can come now as well.
  paused: { unpause: 'running', exit: 'exited' },
  exited: { start: 'running', 'start-failed': 'exited', 'back-off': 'restarting', remove: 'removing' },
  // It has no process, and will have one again when its restart policy has waited long enough.
  restarting: { start: 'running', 'start-failed': 'exited', 'give-up': 'exited' },
  // Its directory could not be removed, or its record not be read: removing is all that is left to try.
  dead: { remove: 'removing' },
  removing: { 'remove-failed': 'dead', remove: 'removing' },
};

/** Where `event` leads from `status`; null if it cannot happen there. */
export function nextStatus(status: Status, event: LifeEvent): Status | null {
  return TRANSITIONS[status][event] ?? null;
}
