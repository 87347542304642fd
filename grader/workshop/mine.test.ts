import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import { readLabs } from '../lab.ts';
import { type Clone, makeClone } from './testing/clone.ts';

const PROCESS = 'labs/01-process/process.ts';
const SOLUTION = 'solutions/01-process/process.ts';

let clone: Clone;
let folder: string;
let locked: string | null;

beforeAll(() => {
  // Short, because sockets lie below it.
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mine-'));
  clone = makeClone({ SKIFF_IDLE_EXIT: '1', SKIFF_ROOT: path.join(folder, 'root') });
  const { lanes } = JSON.parse(clone.run('workshop', 'doctor', '--json').stdout);
  locked = lanes.kernel;
});
beforeEach((context) => {
  if (locked !== null) context.skip(`this host cannot run containers: ${locked}`);
  clone.forget();
});
afterAll(async () => {
  if (clone === undefined) return;
  for (const root of roots()) await daemonEnded(root);
  clone.remove();
  fs.rmSync(folder, { recursive: true });
});

const roots = () => fs.readdirSync(folder).map((name) => path.join(folder, name));
const skiff = (...args: string[]) => clone.run('skiff', ...args);

/** The daemon ends by itself when no request came for a second. */
async function daemonEnded(root: string): Promise<void> {
  const pid = fs.existsSync(path.join(root, 'lock')) ? fs.readFileSync(path.join(root, 'lock'), 'utf8').trim() : '';
  const end = Date.now() + 60_000;
  while (pid !== '' && fs.existsSync(`/proc/${pid}`)) {
    expect(Date.now(), `the daemon ${pid} of ${root} does not end`).toBeLessThan(end);
    await pause(100);
  }
}

function mine(text: string): string {
  return `${clone.read(SOLUTION)}\n${text}`;
}

test('skiff --mine runs a container on the planks that pass, and names them', () => {
  clone.write(PROCESS, mine(''));
  const run = skiff('--mine', 'run', '--rm', '--network', 'none', 'hostbox', 'sh', '-c', 'echo hello; exit 7');
  expect(run).toMatchObject({ status: 7, stdout: 'hello\n' });
  const others = readLabs(home).flatMap(({ id }) => (id === 'process' ? [] : [id]));
  expect(run.stderr).toBe(`Your planks: process. The engine's own: ${others.join(', ')}.\n`);
});

test('a plank that fails its lab stays ashore, unless it is picked', () => {
  clone.write(PROCESS, mine('').replace('128 +', '127 +'));
  expect(skiff('--mine', 'version').stderr).toMatch(/^Your planks: none yet/);
  expect(skiff('--mine=process', 'version').stderr).toMatch(/^Your planks: process\./);
});

test('a script that captures stderr reads the planks at every call, as break-it.sh has to', () => {
  clone.write(PROCESS, mine(''));
  for (let call = 0; call < 2; call++)
    expect(skiff('--mine=process', 'version').stderr, `call ${call}`).toMatch(/^Your planks: process\./);
});

test('a plank that does not compile is named by file and line, with exit 125', () => {
  clone.write(PROCESS, mine('const broken = ;\n'));
  const line = clone.read(PROCESS).trimEnd().split('\n').length;
  const { status, stderr } = skiff('--mine=process', 'run', 'hostbox', 'true');
  expect(status).toBe(125);
  expect(stderr).toContain(`Your plank does not compile.\n${PROCESS}:${line}:16: `);
});

test('a plank that changed gets an engine of its own, and the old one goes when it is idle', async () => {
  clone.write(PROCESS, mine('console.error("first");'));
  expect(skiff('--mine=process', 'version').status).toBe(0);
  const before = roots().filter((root) => root.includes('-mine-'));
  for (const root of before) await daemonEnded(root);
  clone.write(PROCESS, mine('console.error("second");'));
  expect(skiff('--mine=process', 'version').status).toBe(0);
  expect(before.length).toBeGreaterThan(0);
  expect(before.filter((root) => fs.existsSync(root))).toEqual([]);
});

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

test('the solution and the engine build images with the same digests', () => {
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
    const args = ['-q', '--build-arg', 'SOURCE_DATE_EPOCH=1000000000', '--build-arg', 'WORD=care', directory];
    const { status, stdout, stderr } = skiff(...mine, 'build', ...args);
    expect(status, stderr).toBe(0);
    return stdout;
  };
  const id = build('--mine=build');
  expect(id).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  expect(id).toBe(build());
});
