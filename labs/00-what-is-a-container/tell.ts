/**
 * Tell by your plank whether a process is in a container, as seen from here:
 *
 *     npx tsx labs/00-what-is-a-container/tell.ts PID
 *
 * Exit status: 0 if at least one namespace separates it from this process, 1 if none does, 2 if your plank throws.
 */

import { membershipOf, separatedBy } from './membership.ts';

const pid = Number(process.argv[2]);
try {
  const separated = separatedBy(membershipOf(process.pid), membershipOf(pid));
  console.log(`process ${pid}: ${separated.length === 0 ? 'shares every namespace with us' : separated.join(', ')}`);
  process.exitCode = separated.length === 0 ? 1 : 0;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
