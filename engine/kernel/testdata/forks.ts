/** Forks as often as its argument says while the heap grows and shrinks, and prints what became of the children. */
import { exitNow } from '../execve.ts';
import { fork } from '../fork.ts';
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, setHostname } from '../namespaces.ts';
import { waitpid } from '../wait.ts';

const flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS;
const statuses: Record<string, number> = {};
const churn: object[][] = [];
for (let round = 0; round < Number(process.argv[2]); round++) {
  churn.push(Array.from({ length: 2000 }, (_, index) => ({ index })));
  if (churn.length > 20) churn.shift();
  const pid = fork(
    () => {
      setHostname(`child-${round}`);
      if (process.argv[3] === 'throws') throw new Error('the child has a bug');
      return exitNow(round % 100);
    },
    { flags },
  );
  const { status } = waitpid(pid)!;
  const outcome = status === ((round % 100) << 8) ? 'as told' : `wait status ${status}`;
  statuses[outcome] = (statuses[outcome] ?? 0) + 1;
}
process.stdout.write(JSON.stringify({ statuses, hostname: (await import('node:os')).hostname() }));
