/**
 * 32-bit x86 has two doors to sockets and System V IPC: calls of their own since Linux 4.3 and 5.1, and one call each
 * before, with the wanted one as the first argument. A rule for one door has to hold at the other. socketcall(2), ipc(2).
 */

import type { Condition } from './operators.ts';

export interface Multiplexed {
  /** The call that stands for many. */
  call: 'socketcall' | 'ipc';
  /** Which of them is meant. */
  condition: Condition;
}

// linux/net.h, in the order of its numbers from 1.
const socketcall =
  'socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg';

// linux/ipc.h
const ipc = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
};

/** ipc(2) has an ABI version in the upper half of the word, which does not change what is asked for. */
const masks = { socketcall: 0xffffffffn, ipc: 0xffffn };

const doors = new Map<string, Multiplexed>([
  ...socketcall.split(' ').map((name, index) => [name, through('socketcall', index + 1)] as const),
  ...Object.entries(ipc).map(([name, number]) => [name, through('ipc', number)] as const),
]);

function through(call: Multiplexed['call'], number: number): Multiplexed {
  const condition = { index: 0, op: 'SCMP_CMP_MASKED_EQ', value: masks[call], valueTwo: BigInt(number) } as const;
  return { call, condition };
}

/** The other door to the call `name`; undefined when there is none. */
export function otherDoor(name: string): Multiplexed | undefined {
  return doors.get(name);
}
