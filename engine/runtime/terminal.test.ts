import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { descriptorsOf } from './testing/proc.ts';
import { specFor, userNamespaced } from './testing/rootfs.ts';
import { startShim, type TestShim } from './testing/shim.ts';

const stdio = { terminal: true, stdin: true, stdinOnce: true };

describe.skipIf(process.getuid?.() !== 0)('a container on a terminal', () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
  });
  afterAll(() => shim?.close());

  async function open(args: string[], change = (spec: ReturnType<typeof specFor>) => spec) {
    const spec = change(specFor(shim, args, { process: { terminal: true, consoleSize: { height: 33, width: 101 } } }));
    const key = { container: spec.annotations!.container! };
    await shim.call('open', { key, stdio });
    const client = await shim.attach(key, { stdin: true, terminal: true });
    const started = await shim.call('start', { container: key.container, spec });
    return { key, client, ...started };
  }

  test('has a terminal of its own devpts, with the size it was given, as streams, controlling terminal and console', async () => {
    const { key, client, pid } = await open(['sh']);
    client.socket.write(
      "tty; stty size; ls -l /dev/console | grep -c ' 136, *0 '; echo ready > /dev/tty; echo e''nd\n",
    );
    await client.saw('end\r\n');
    const text = String(client.stdout());
    expect(text).toContain('\r\n/dev/pts/0\r\n33 101\r\n1\r\nready\r\nend\r\n');
    expect(Object.values(descriptorsOf(pid)).slice(0, 3)).toEqual(['/dev/pts/0', '/dev/pts/0', '/dev/pts/0']);
    expect(Object.values(descriptorsOf(pid)).filter((path) => path.includes('ptmx'))).toEqual([]);
    client.socket.write('exit 5\n');
    expect((await shim.exit(key)).status.exitCode).toBe(5);
    await client.ended;
    await shim.call('forget', { key });
  });

  test('resizing reaches the program as SIGWINCH', async () => {
    const { key, client } = await open([
      'sh',
      '-c',
      'trap "stty size; exit 9" WINCH; echo ready; while :; do sleep 1; done',
    ]);
    await client.saw('ready');
    await shim.call('resize', { key, height: 50, width: 132 });
    await client.saw('50 132');
    expect((await shim.exit(key)).status.exitCode).toBe(9);
    await shim.call('forget', { key });
  });

  test('an interrupt that is typed ends the foreground program', async () => {
    const { key, client } = await open(['sh', '-c', 'trap : INT; sh -c "echo ready; exec sleep 1000"; echo code $?']);
    await client.saw('ready');
    client.socket.write('\x03');
    await client.saw('code 130');
    await shim.exit(key);
    await shim.call('forget', { key });
  });

  test('a program that reads nothing does not stop the shim, whatever is typed', async () => {
    const { key, client } = await open(['sh', '-c', 'stty raw -echo; echo ready; exec sleep 1000']);
    await client.saw('ready');
    client.socket.write(Buffer.alloc(1 << 20, 'x'));
    const other = await shim.run(specFor(shim, ['echo', 'alive']));
    expect(other.stdout).toBe('alive\n');
    await shim.call('signal', { key, signal: 9 });
    await shim.exit(key);
    await shim.call('forget', { key });
  });

  test('it works in a user namespace too, for a user who is not root', async () => {
    const { key, client } = await open(['sh', '-c', 'tty; echo again > /dev/stdout; stty size'], (spec) =>
      userNamespaced({ ...spec, process: { ...spec.process, userSpec: 'alice' } }),
    );
    await shim.exit(key);
    expect(String((await client.ended).stdout)).toBe('/dev/pts/0\r\nagain\r\n33 101\r\n');
    await shim.call('forget', { key });
  });

  test('the last lines of a program that ends at once are not lost', async () => {
    for (let round = 0; round < 10; round++) {
      const { key, client } = await open(['sh', '-c', 'seq 1000; echo the end']);
      await shim.exit(key);
      expect(String((await client.ended).stdout)).toMatch(/\n1000\r\nthe end\r\n$/);
      await shim.call('forget', { key });
    }
  });

  test('exec has a terminal of its own beside it', async () => {
    const { key: container } = await shim.start(specFor(shim, ['sleep', '1000']));
    const key = { ...container, exec: 'tty' };
    await shim.call('open', { key, stdio });
    const client = await shim.attach(key, { stdin: true, terminal: true });
    const process = { cwd: '/', env: ['PATH=/bin'], args: ['sh', '-c', 'tty; stty size; read x; echo got $x'] };
    await shim.call('exec', {
      ...key,
      process: { ...process, user: { uid: 0, gid: 0 }, terminal: true, consoleSize: { height: 7, width: 9 } },
    });
    await client.saw('7 9');
    client.socket.write('typed\n');
    await shim.exit(key);
    expect(String((await client.ended).stdout)).toBe('/dev/pts/0\r\n7 9\r\ntyped\r\ngot typed\r\n');
    await shim.call('signal', { key: container, signal: 9 });
    await shim.exit(container);
    await shim.call('forget', { key: container });
  });
});
