import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Clone, makeClone } from './testing/clone.ts';

let clone: Clone;
let folder: string;
let locked: string | null;

beforeAll(() => {
  // Short, because sockets lie below it.
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mine-'));
  clone = makeClone({ SKIFF_IDLE_EXIT: '1', SKIFF_ROOT: path.join(folder, 'root') });
  locked = JSON.parse(clone.run('workshop', 'doctor', '--json').stdout).lanes.kernel;
}, 120_000);
afterAll(async () => {
  if (clone === undefined) return;
  for (const name of fs.readdirSync(folder)) await daemonEnded(path.join(folder, name));
  clone.remove();
  fs.rmSync(folder, { recursive: true });
}, 60_000);

/** The daemon ends by itself when nobody has asked it for a second. */
async function daemonEnded(root: string): Promise<void> {
  const lock = path.join(root, 'lock');
  const pid = fs.existsSync(lock) ? fs.readFileSync(lock, 'utf8').trim() : '';
  const end = Date.now() + 30_000;
  while (pid !== '' && fs.existsSync(`/proc/${pid}`)) {
    expect(Date.now(), `the daemon ${pid} of ${root} does not end`).toBeLessThan(end);
    await pause(100);
  }
}

const DOCKERFILE = `FROM hostbox AS tools
ARG WORD=none
RUN echo "built with \${WORD}" >/tool && ln -s tool /link
FROM hostbox
ENV PLACE=/srv AGAIN=\${NONE:-x}
WORKDIR $PLACE/app
COPY --from=tools /link ./
COPY *.txt ./
RUN cat link *.txt >all
CMD cat all
`;

test('the solution and the engine build images with the same digests', (context) => {
  if (locked !== null) context.skip(`this host cannot run containers: ${locked}`);
  clone.write('labs/10-build/build.ts', clone.read('solutions/10-build/build.ts'));
  const directory = path.join(clone.home, 'context');
  fs.mkdirSync(directory);
  const files = {
    Dockerfile: DOCKERFILE,
    'a.txt': 'a\n',
    'b.txt': 'b\n',
    'left-out.txt': 'x',
    '.dockerignore': 'left*',
  };
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), content);
  const build = (...mine: string[]) => {
    const args = ['--build-arg', 'SOURCE_DATE_EPOCH=1000000000', '--build-arg', 'WORD=care', '-t', 'app', directory];
    const built = clone.run('skiff', ...mine, 'build', ...args);
    expect(built.status, built.stderr).toBe(0);
    const ran = clone.run('skiff', ...mine, 'run', '--rm', '--network', 'none', 'app');
    expect(ran.stdout, ran.stderr).toBe('built with care\na\nb\n');
    const [image] = JSON.parse(clone.run('skiff', ...mine, 'inspect', 'app').stdout);
    return { id: image.Id, layers: image.RootFS.Layers };
  };
  expect(build('--mine=build')).toEqual(build());
}, 120_000);
