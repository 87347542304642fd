import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IMAGE, noPodman, openPodmanRoom, type Podman, type PodmanRoom, pathOf, toItsEnd } from './testing/podman.ts';

const reason = noPodman();
/** Milliseconds. A session is a dozen containers and commands, of two runtimes, on a machine that others use too. */

/** Ids and paths of the two runs, made the same. */
function plain(text: string): string {
  return text
    .replace(/\b([0-9a-f]{64}|[0-9a-f]{11,12})\b/g, 'ID')
    .replace(
      /\S*(skiff-runtime|\/runc)(: runc (create|exec) failed: unable to (start|exec) container process)?/g,
      'RUNTIME',
    )
    .replace(/(RUNTIME: )?exec failed: unable to start container process: /g, '$1');
}

describe('podman --runtime', () => {
  let room: PodmanRoom;
  let options: string[];

  beforeAll(async () => {
    if (reason !== undefined) return;
    room = await openPodmanRoom();
    options = ['--network', 'none', '--cgroup-parent', room.cgroupParent];
  });
  afterAll(() => room?.close());
  beforeEach((context) => {
    if (reason !== undefined) context.skip(reason);
  });

  /** The same words mean the same. @returns what ours said. */
  async function same(act: (podman: Podman) => Promise<unknown>): Promise<string> {
    const texts = (await room.both(act)).map((said) =>
      JSON.stringify(said, (_, value: unknown) => (typeof value === 'string' ? plain(value) : value), 1),
    );
    expect(texts[0]).toBe(texts[1]);
    return texts[0]!;
  }

  const status = 'grep -E "^(Cap|Seccomp:|NoNewPrivs|Groups)" /proc/self/status';

  test('run: what a container is given, what it may, and how it ends is as with runc', async () => {
    const seccomp = join(room.directory, 'seccomp.json');
    writeFileSync(
      seccomp,
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
      }),
    );
    const strict = ['--read-only', '--user', '1001:10', '--group-add', '29', '--cap-drop', 'all', '--umask', '027'];
    const confined = ['--security-opt', 'no-new-privileges', '--security-opt', `seccomp=${seccomp}`];
    const limits = ['--memory', '64m', '--pids-limit', '50', '--hostname', 'named', '--oom-score-adj', '500'];
    const mapped = ['--uidmap', '0:300000:65536', '--gidmap', '0:300000:65536'];
    const lines: [expected: RegExp, words: string[]][] = [
      [
        /uid=0/,
        [
          IMAGE,
          'sh',
          '-c',
          `id; env | sort | grep -v HOSTNAME; ${status}; pwd; ls /proc/sys; cat /proc/uptime >/dev/null; echo x > /proc/sys/kernel/domainname`,
        ],
      ],
      [
        /Read-only/,
        [
          ...strict,
          '--tmpfs',
          '/t:size=1m,mode=700',
          IMAGE,
          'sh',
          '-c',
          `id; umask; ${status}; touch /x; ls -ld /t | cut -c1-10; touch /dev/shm/x`,
        ],
      ],
      [
        /not implemented/,
        [
          ...confined,
          ...limits,
          IMAGE,
          'sh',
          '-c',
          `mkdir /x; ${status}; hostname; cat /proc/self/oom_score_adj; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max`,
        ],
      ],
      [
        /300000/,
        [...mapped, IMAGE, 'sh', '-c', 'id; cat /proc/self/uid_map; touch /tmp/x; ls -ln /tmp/x | cut -c1-40'],
      ],
      [/"code": 127,/, [IMAGE, 'nonesuch']],
      [/"code": 126,/, [IMAGE, '/etc/passwd']],
      [/"code": 137,/, [IMAGE, 'sh', '-c', 'exec sh -c "kill -9 \\$\\$" & wait $!']],
      [/"137/, ['-m', '20m', IMAGE, 'sh', '-c', 'tail /dev/zero; echo $?']],
    ];
    for (const [expected, words] of lines)
      expect(await same((podman) => podman.run('run', '--rm', ...options, ...words))).toMatch(expected);
    expect(
      await same((podman) => podman.runWith({ input: 'typed' }, 'run', '--rm', '-i', ...options, IMAGE, 'cat')),
    ).toMatch(/typed/);
  });

  test('exec, pause, healthcheck, logs, stop and rm of one container are as with runc', async () => {
    const script = 'trap "echo bye; exit 5" TERM; echo out; echo err >&2; while :; do sleep 0.1; done';
    const health = ['--health-cmd', 'test -e /tmp/healthy', '--health-interval', 'disable'];
    const said = await same(async (podman) => {
      const exec = (...words: string[]) => podman.run('exec', ...words);
      return [
        await podman.run('run', '-d', '--name', 'one', ...health, ...options, IMAGE, 'sh', '-c', script),
        await exec('one', 'sh', '-c', 'id; exit 9'),
        await exec('-u', '1001', '-w', '/tmp', '-e', 'A=b', 'one', 'sh', '-c', `id; pwd; echo $A; ${status}`),
        await podman.runWith({ input: 'typed' }, 'exec', '-i', 'one', 'cat'),
        await exec('one', 'nonesuch'),
        await exec('--privileged', 'one', 'grep', 'CapEff', '/proc/self/status'),
        await podman.run('healthcheck', 'run', 'one'),
        await exec('one', 'touch', '/tmp/healthy'),
        await podman.run('healthcheck', 'run', 'one'),
        // Its shell; what that runs is gone and there again.
        (await podman.run('top', 'one', 'user', 'args')).stdout.split('\n')[1],
        await podman.run('pause', 'one'),
        await exec('one', 'true'),
        await podman.run('inspect', '--format', '{{.State.Status}}', 'one'),
        await podman.run('unpause', 'one'),
        await podman.run('stop', 'one'),
        await podman.run('logs', 'one'),
        await podman.run('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'one'),
        await podman.run('rm', '--force', '--time', '0', 'one'),
      ];
    });
    for (const words of ['exited 5', 'bye', 'paused', '"code": 9,', '"code": 127,', 'CapEff'])
      expect(said).toContain(words);
  });

  test('run -it: a real terminal, its size, what is typed, and the exit code', async () => {
    const inside = `trap 'stty size; exit 4' WINCH; tty; stty size; read word; echo "got $word"; while :; do sleep 0.1; done`;
    const act = async (podman: Podman) => {
      const line = podman.line(
        'podman',
        'run',
        '-it',
        '--rm',
        '--sig-proxy=false',
        ...options,
        IMAGE,
        'sh',
        '-c',
        inside,
      );
      const quoted = line.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
      const child = podman.spawn('script', '-qec', `stty rows 33 cols 101; echo outer $(tty); ${quoted}`, '/dev/null');
      let screen = '';
      const shows = (pattern: RegExp) =>
        new Promise<RegExpExecArray>((resolve, reject) => {
          const look = () => {
            const match = pattern.exec(screen);
            if (match) resolve(match);
          };
          child.stdout!.on('data', look);
          child.once('close', () => reject(new Error(`the terminal did not show ${pattern} but:\n${screen}`)));
          look();
        });
      child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        screen += text;
      });
      const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
      const [, outer] = await shows(/outer (\S+)/);
      await shows(/33 101/);
      child.stdin!.write('hello\n');
      await shows(/got hello/);
      await toItsEnd(podman.spawn('stty', '-F', outer!, 'rows', '44', 'cols', '55'));
      return { code: await closed, shown: screen.replace(/outer \S+/, '').split(/\r?\n/) };
    };
    const said = await same(act);
    expect(said).toMatch(/44 55/);
    expect(said).toMatch(/"code": 4/);
    expect(said).toMatch(/dev\/pts\/0/);
  });

  test.skipIf(reason === undefined && pathOf('iptables') === '')(
    'run -p: a published port is connected to',
    async () => {
      const said = await same(async (podman) => {
        const published = ['-p', '127.0.0.1::8080', '--cgroup-parent', room.cgroupParent];
        const script = 'echo ready; exec nc -l -p 8080 -e echo through the port';
        const started = await podman.run('run', '-d', '--name', 'server', ...published, IMAGE, 'sh', '-c', script);
        expect(started).toMatchObject({ code: 0 });
        const { stdout } = await podman.run('port', 'server', '8080');
        const [host, port] = stdout.trim().split(':') as [string, string];
        // The listener is there a moment after it says so.
        const client = `for i in $(seq 100); do busybox nc ${host} ${port} </dev/null 2>/dev/null && exit; sleep 0.1; done; exit 1`;
        const answer = await toItsEnd(podman.spawn('sh', '-c', client));
        return [answer, (await podman.run('rm', '-f', '-t', '0', 'server')).code];
      });
      expect(said).toContain('through the port');
    },
  );

  test('build: each RUN is a container of this runtime', async () => {
    const context = join(room.directory, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'file'), 'copied\n');
    writeFileSync(
      join(context, 'Dockerfile'),
      [
        `FROM ${IMAGE}`,
        'RUN id && mkdir /made && echo built > /made/file',
        'COPY file /copied',
        'USER 1001',
        `RUN id; ${status}; touch /made/no || echo denied`,
        'CMD ["cat", "/made/file", "/copied"]',
      ].join('\n'),
    );
    const limits = ['--ulimit', 'nofile=1024', '--ulimit', 'nproc=1024'];
    const build = ['--network', 'none', '--no-cache', '--isolation', 'oci', ...limits];
    const said = await same(async (podman) => [
      await podman.run('build', ...build, '-t', 'built', context),
      await podman.run('run', '--rm', ...options, 'localhost/built'),
    ]);
    for (const words of ['denied', 'uid=1001', 'built\\ncopied']) expect(said).toContain(words);
  });

  test('buildah run --runtime', async (context) => {
    context.skip(pathOf('buildah') === '', 'there is no buildah here');
    const said = await same(async (podman) => {
      const buildah = (...words: string[]) => toItsEnd(podman.spawn(...podman.line('buildah', ...words)));
      const name = (await buildah('from', '--pull-never', IMAGE)).stdout.trim();
      const run = ['run', '--runtime', podman.runtime, '--network', 'none', '--isolation', 'oci', name, '--'];
      return [await buildah(...run, 'sh', '-c', `id; ${status}; exit 3`), (await buildah('rm', name)).code];
    });
    expect(said).toMatch(/uid=0/);
  });

  test('a descriptor that is to be preserved, an annotation for hooks, and a refusal by name', async () => {
    const hooks = join(room.directory, 'hooks');
    mkdirSync(hooks);
    const log = join(room.directory, 'annotations');
    const hook = { path: '/bin/sh', args: ['sh', '-c', `grep -o '"marked":"[a-z]*"' >> ${log}`] };
    writeFileSync(
      join(hooks, 'one.json'),
      JSON.stringify({
        version: '1.0.0',
        hook,
        when: { annotations: { '^marked$': 'yes' } },
        stages: ['createRuntime'],
      }),
    );
    const run = ['run', '--rm', ...options];
    const { ours } = room;
    expect(await ours.run('--hooks-dir', hooks, ...run, '--annotation', 'marked=yes', IMAGE, 'true')).toMatchObject({
      code: 0,
    });
    expect(await toItsEnd(ours.spawn('cat', log))).toMatchObject({ stdout: '"marked":"yes"\n' });
    const line = ours.line('podman', ...run, '--preserve-fds', '1', IMAGE, 'sh', '-c', 'cat <&3');
    const preserved = ours.spawn('sh', '-c', `exec "$@" 3<${log}`, 'sh', ...line);
    expect(await toItsEnd(preserved)).toMatchObject({ stdout: '"marked":"yes"\n' });
    expect(await ours.run(...run, '--personality', 'LINUX32', IMAGE, 'true')).toMatchObject({
      code: 126,
      stderr: expect.stringMatching(/skiff-runtime: config\.json: linux\.personality is not supported/),
    });
  });
});
