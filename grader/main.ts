/** The instructor's command, `./grade`. */

import { judge } from './harness/judge.ts';
import { sandboxHost } from './harness/sandbox-host.ts';

/** Processes of the harness are this bundle, too: there is one file to find and to trust. */
const inner: Record<string, () => Promise<void>> = { judge, 'sandbox-host': sandboxHost };

async function main(): Promise<void> {
  const role = inner[process.argv[2] ?? ''];
  if (role !== undefined) return await role();
}

void main();
