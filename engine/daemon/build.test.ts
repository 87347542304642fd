// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe.skipIf(missing)(`docker build${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    process.env.DOCKER_BUILDKIT = '0';
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    delete process.env.DOCKER_BUILDKIT;
    const left = [...fs.readdirSync(path.join(daemon.root, 'builds'))];
    expect([...left, ...(await daemon.destroy())]).toEqual([]);
  });

  function context(files: Record<string, string>): string {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-context-'));
    onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
    for (const [name, content] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
      if (content.startsWith('-> ')) fs.symlinkSync(content.slice(3), path.join(directory, name));
      else fs.writeFileSync(path.join(directory, name), content);
    }
    return directory;
  }

  const build = (directory: string, ...options: string[]) => daemon.docker('build', ...options, directory);
  async function built(files: Record<string, string>, ...options: string[]) {
    const ran = await build(context(files), '-t', 'app', ...options);
    expect(ran.code, ran.stderr + ran.stdout).toBe(0);
    return ran.stdout;
  }
  const run = async (...command: string[]) => (await daemon.docker('run', '--rm', 'app', ...command)).stdout;
  const config = async (name = 'app') => (await daemon.get(`/images/${name}/json`)).json;

  test('tells each step as the classic builder does, and what comes out runs', async () => {
    const said = await built({
      Dockerfile: 'FROM hostbox\nENV A=b\nCOPY file /f\nRUN echo out; echo err >&2\nCMD ["cat", "/f"]\n',
      file: 'content',
    });
    const shown = said.replaceAll('\x1b[91m', 'RED').replaceAll('\x1b[0m', 'PLAIN');
    expect(shown.replace(/[0-9a-f]{12}/g, 'ID')).toMatch(
      /^Sending build context.*\r?\n?Step 1\/5 : FROM hostbox\n ---> ID\nStep 2\/5 : ENV A=b\n ---> ID\nStep 3\/5 : COPY file \/f\n ---> ID\nStep 4\/5 : RUN echo out; echo err >&2\n(out\nREDerr\nPLAIN|REDerr\nPLAINout\n) ---> ID\nStep 5\/5 : CMD \["cat", "\/f"\]\n ---> ID\nSuccessfully built ID\nSuccessfully tagged app:latest\n$/s,
    );
    expect(await run()).toBe('content');
  });

  test('a step that was done before is not done again, until something before it changes', async () => {
    const directory = context({
      Dockerfile:
        'FROM hostbox\nCOPY one /\nRUN cat /proc/sys/kernel/random/uuid > /first\nCOPY two /\nRUN cat /proc/sys/kernel/random/uuid > /second\n',
      one: '1',
      two: '2',
    });
    const marks = async (...options: string[]) => {
      expect((await build(directory, '-t', 'app', ...options)).code).toBe(0);
      return [await run('cat', '/first'), await run('cat', '/second')];
    };
    const [first, second] = await marks();
    const before = await config();
    fs.utimesSync(path.join(directory, 'one'), 1, 1);
    expect(await marks(), 'a time is not content').toEqual([first, second]);
    expect((await config()).Id).toBe(before.Id);
    await daemon.crash();
    await daemon.launch();
    expect(await marks(), 'the cache outlives the daemon').toEqual([first, second]);
    fs.writeFileSync(path.join(directory, 'two'), 'changed');
    const [same, other] = await marks();
    expect([same === first, other === second]).toEqual([true, false]);
    fs.chmodSync(path.join(directory, 'one'), 0o755);
    expect((await marks())[0]).not.toBe(first);
    expect(await marks('--no-cache')).not.toContain(first);
    const { json } = await daemon.post('/build/prune');
    expect(json.CachesDeleted.length).toBeGreaterThan(4);
    expect(await run('cat', '/one'), 'what images have stays').toBe('1');
  });

  test('the same context makes the same layers, and with SOURCE_DATE_EPOCH the same image', async () => {
    const files = {
      Dockerfile:
        'FROM hostbox\nWORKDIR /w\nCOPY a a\nRUN echo b > b; mkdir -p d/e; ln a c; ln -s a l; rm /bin/vi 2>/dev/null; true\n',
      a: 'content',
    };
    const twice = async (...options: string[]) => {
      const images = [];
      for (const time of [1e9, 1.1e9]) {
        const directory = context(files);
        fs.utimesSync(path.join(directory, 'a'), time, time);
        expect((await build(directory, '-t', 'app', '--no-cache', ...options)).code).toBe(0);
        images.push(await config());
      }
      return images;
    };
    const [one, two] = await twice();
    expect(one.RootFS.Layers).toEqual(two.RootFS.Layers);
    expect(one.RootFS.Layers).toHaveLength(4);
    const [three, four] = await twice('--build-arg', 'SOURCE_DATE_EPOCH=1000000000');
    expect(three.Id).toBe(four.Id);
    expect(three.Created).toBe('2001-09-09T01:46:40.000Z');
  });

  test('the configuration comes out as it was written', async () => {
    await built(
      {
        Dockerfile: `ARG BASE=hostbox
FROM \${BASE}
ARG WHO=nobody
ENV A=1 B="two words" C=\${WHO}
ENV A=\${A}1
LABEL one=1 "two"='t w o'
WORKDIR /srv
WORKDIR app
EXPOSE 80 53/udp
VOLUME ["/data"]
USER 1000:1000
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1m --retries=2 CMD true
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT echo
CMD ["x"]
MAINTAINER me
`,
      },
      '--build-arg',
      'WHO=me',
      '--label',
      "by=it's",
    );
    expect(await config()).toMatchObject({
      Author: 'me',
      Config: {
        Env: expect.arrayContaining(['A=11', 'B=two words', 'C=me']),
        Labels: { one: '1', two: 't w o', by: "it's" },
        WorkingDir: '/srv/app',
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Volumes: { '/data': {} },
        User: '1000:1000',
        StopSignal: 'SIGINT',
        Entrypoint: ['/bin/sh', '-ec', 'echo'],
        Cmd: ['x'],
      },
    });
  });

  test('stages: only those that are needed, from each other, and up to a target', async () => {
    const files = {
      Dockerfile: `FROM hostbox AS tools
RUN mkdir -p /d/e && echo tool > /d/e/t && ln -s /d/e /link
FROM hostbox AS unused
RUN exit 9
FROM scratch AS files
COPY --from=tools /link/t /made/
FROM tools
COPY --from=files / /got
COPY --from=hostbox /etc/passwd /passwd
COPY --from=0 /d /number
`,
    };
    const said = await built(files);
    expect(said).not.toContain('exit 9');
    expect(await run('sh', '-c', 'cat /got/made/t /number/e/t; head -c 4 /passwd')).toBe('tool\ntool\nroot');
    expect((await build(context(files), '--target', 'unused')).code).toBe(9);
    expect((await build(context(files), '--target', 'nothing')).stderr).toContain(
      'target stage "nothing" could not be found',
    );
  });

  test('here-documents are scripts and files', async () => {
    await built({
      Dockerfile: `FROM hostbox
ARG X=expanded
COPY <<A <<'B' /d/
$X \\$X "quoted" \${Y:-"it's"}
A
$X \\$X
B
ADD <<"two words" /added/
$X
two words
RUN <<"E"OF
echo "$X" > /quoted
EOF
RUN cat <<'EOF' > /by-shell && cat <<EOF >> /by-shell
$X
EOF
$X \\$X
EOF
RUN <<EOF
X=in-shell
echo $X > /script
EOF
RUN <<EOF
#!/bin/sh
echo $0 > /name
EOF
RUN cat <<-EOF > /tabs
	one
	EOF
`,
    });
    expect(await run('sh', '-c', 'cat /d/A /d/B /added/* /quoted /by-shell /script /name /tabs')).toBe(
      'expanded $X "quoted" "it\'s"\n$X \\$X\n$X\nexpanded\n$X\nexpanded $X\nin-shell\n/dev/pipes/EOF\none\n',
    );
  });

  test('what is copied has the owner, mode and place that were asked for', async () => {
    await built({
      Dockerfile: `FROM hostbox
COPY --chown=7:8 --chmod=640 a b/* /put/
COPY --chown=nobody d /put/d
COPY a /renamed
COPY ["with space", "./"]
ADD d /tmp
COPY a /bin/../tmp/new
`,
      a: 'a',
      'b/c': 'c',
      'b/c2': 'd',
      'd/e/f': 'f',
      'with space': 's',
    });
    const files = "/put/a /put/c /put/c2 /put/d /put/d/e/f /renamed '/with space' /tmp /tmp/e/f /tmp/new";
    expect((await run('sh', '-c', `stat -c '%a %u:%g %n' ${files}`)).split('\n')).toEqual([
      '640 7:8 /put/a',
      '640 7:8 /put/c',
      '640 7:8 /put/c2',
      '755 65534:65534 /put/d',
      '644 65534:65534 /put/d/e/f',
      '644 0:0 /renamed',
      '644 0:0 /with space',
      '1777 0:0 /tmp',
      '644 0:0 /tmp/e/f',
      '644 0:0 /tmp/new',
      '',
    ]);
  });

  test('.dockerignore, also one for a Dockerfile of another name, and from a client that sends everything', async () => {
    const directory = context({
      Dockerfile: 'FROM hostbox\nCOPY . /c\n',
      '.dockerignore': '*\n!keep\n!sub/keep\nDockerfile\n',
      'other.Dockerfile': 'FROM hostbox\nCOPY . /c\n',
      'other.Dockerfile.dockerignore': 'keep\nsub\n*Dockerfile*\n.dockerignore\n',
      keep: '',
      drop: '',
      'sub/keep': '',
      'sub/drop': '',
    });
    const list = () => run('sh', '-c', 'cd /c && find . -type f | sort');
    const tar = execFileSync('tar', ['-C', directory, '-cz', '.'], { encoding: 'latin1' });
    const send = async (file: string) => {
      const args = ['-H', `unix://${daemon.socket}`, 'build', '-t', 'app', '-f', file, '-'];
      const child = spawn('docker', args, { stdio: ['pipe', 'ignore', 'ignore'] });
      child.stdin.end(Buffer.from(tar, 'latin1'));
      expect((await once(child, 'exit'))[0]).toBe(0);
      return await list();
    };
    expect(await send('Dockerfile')).toBe('./keep\n./sub/keep\n');
    expect(await send('other.Dockerfile')).toBe('./drop\n');
    expect((await build(directory, '-t', 'app')).code).toBe(0);
    expect(await list()).toBe('./keep\n./sub/keep\n');
  });

  test('links lead neither out of the context nor, in an image, out of the image', async () => {
    const secret = path.join(context({ secret: 'of the host' }), 'secret');
    const refused = await build(context({ Dockerfile: 'FROM hostbox\nCOPY leak /leak\n', leak: `-> ${secret}` }));
    expect(refused.stderr).toMatch(/Dockerfile:2: COPY leak \/leak: "leak" is not in the build context/);
    expect((await build(context({ Dockerfile: `FROM hostbox\nCOPY ../../../..${secret} /\n` }))).code).toBe(1);
    const outside = context({ kept: '' });
    await built({
      Dockerfile: `FROM hostbox
RUN ln -s ${outside} /dir && ln -s ../../../../../..${outside} /climb && ln -s ${outside}/new /file
COPY a /dir/in-dir
COPY a /climb/in-climb
COPY a /file
WORKDIR /dir/made
`,
      a: 'a',
    });
    expect(fs.readdirSync(outside)).toEqual(['kept']);
    expect((await run('ls', outside)).split('\n')).toEqual(['in-climb', 'in-dir', 'made', 'new', '']);
  });

  test('ADD unpacks local archives with their owners', async () => {
    const directory = context({
      Dockerfile: 'FROM hostbox\nADD in.tar.gz text /x/\nCOPY in.tar.gz /y/\n',
      text: 't',
      'in/file': 'f',
    });
    const archive = path.join(directory, 'in.tar.gz');
    execFileSync('tar', ['-C', path.join(directory, 'in'), '--owner=5', '--group=6', '-czf', archive, 'file']);
    expect((await build(directory, '-t', 'app')).code).toBe(0);
    expect(await run('sh', '-c', "stat -c '%u:%g %n' /x/* /y/*")).toBe('5:6 /x/file\n0:0 /x/text\n0:0 /y/in.tar.gz\n');
  });

  test('mounts of RUN: files of the context and of stages, caches, memory; and they leave nothing', async () => {
    const files = {
      Dockerfile: `FROM hostbox AS s
RUN echo staged > /staged
FROM hostbox
RUN --mount=type=bind,target=/ctx,source=d --mount=from=s,source=/staged,target=/m/staged cat /ctx/f /m/staged > /both; touch /ctx/x 2>/dev/null || echo ro >> /both
RUN --mount=type=cache,target=/cache,id=k echo x >> /cache/log; wc -l < /cache/log > /count
RUN --mount=type=tmpfs,target=/mem df /mem | tail -1 | cut -c1-5 > /df
RUN --mount=type=secret,id=s test ! -e /run/secrets/s
RUN --mount=type=cache,target=/seeded,id=seeded,from=s,source=/usr ls /seeded | head -n 1 >> /seeded/log; cat /seeded/log > /log
`,
      'd/f': 'bound\n',
    };
    await built(files);
    expect(await run('sh', '-c', 'cat /both /count /df; ls -d /ctx /m /cache /mem 2>/dev/null')).toBe(
      'bound\nstaged\nro\n1\ntmpfs\n',
    );
    expect(await run('cat', '/log')).toBe('bin\n');
    await built(files, '--no-cache');
    expect(await run('cat', '/count')).toBe('2\n');
    // It begins with the stage's files only when it is new.
    expect(await run('cat', '/log')).toBe('bin\nbin\n');
    const file = 'FROM hostbox\nRUN --mount=type=cache,target=/c,id=file,from=hostbox,source=/etc/passwd true\n';
    expect((await build(context({ Dockerfile: file }))).stderr).toContain('"/etc/passwd" is not a directory');
  });

  test('a trigger runs in the build that builds on it', async () => {
    const parent = context({ Dockerfile: 'FROM hostbox\nONBUILD COPY a /a\nONBUILD RUN cat /a > /b\n' });
    expect((await build(parent, '-t', 'parent')).code).toBe(0);
    const said = await built({ Dockerfile: 'FROM parent\n', a: 'triggered' });
    expect(said).toContain('# Executing 2 build triggers\n');
    expect(await run('cat', '/b')).toBe('triggered');
    expect((await config()).Config.OnBuild ?? []).toEqual([]);
  });

  test('stages that do not need each other run at the same time', async () => {
    // Each waits for the other: one after the other, they would wait in vain.
    await built({
      Dockerfile: `FROM hostbox AS a
RUN --mount=type=cache,target=/meet i=0; touch /meet/a; until [ -e /meet/b ]; do i=$((i+1)); [ $i -lt 2000 ] || exit 1; usleep 10000; done; touch /a
FROM hostbox AS b
RUN --mount=type=cache,target=/meet i=0; touch /meet/b; until [ -e /meet/a ]; do i=$((i+1)); [ $i -lt 2000 ] || exit 1; usleep 10000; done; touch /b
FROM hostbox
COPY --from=a /a /
COPY --from=b /b /
`,
    });
  });

  test('a client that hangs up ends the build, which leaves nothing', async () => {
    const directory = context({ Dockerfile: 'FROM hostbox\nRUN echo begun; sleep 1000\n' });
    const args = ['-H', `unix://${daemon.socket}`, 'build', '-t', 'never', directory];
    const child = spawn('docker', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    for await (const chunk of child.stdout) {
      said += chunk;
      if (said.includes('\nbegun')) break;
    }
    child.kill('SIGKILL');
    const builds = path.join(daemon.root, 'builds');
    const news = new AbortController();
    const watcher = fs.watch(builds, () => news.abort());
    onTestFinished(() => watcher.close());
    if (fs.readdirSync(builds).length > 0 && !news.signal.aborted) await once(news.signal, 'abort');
    expect(fs.readdirSync(builds)).toEqual([]);
    expect((await daemon.exchange('GET', '/images/never/json')).status).toBe(404);
  });

  test('what is wrong is told with its line and a way out', async () => {
    for (const [dockerfile, message, code = 1] of [
      [
        'FROM hostbox\nRUN exit 3\n',
        "Dockerfile:2: RUN exit 3: The command '/bin/sh -c exit 3' returned a non-zero",
        3,
      ],
      [
        'FROM 127.0.0.1:1/nothing-here\n',
        'Dockerfile:1: FROM 127.0.0.1:1/nothing-here: cannot pull (registry 127.0.0.1:1, repository nothing-here): ',
      ],
      ['FROM hostbox\nUSER\n', 'Dockerfile:2: USER: USER requires exactly one argument'],
      ['FROM hostbox\nEXPOSE many\n', 'Dockerfile:2: EXPOSE many: invalid containerPort: many'],
      ['FROM hostbox\nRUN --security=insecure x\n', 'RUN --security=insecure is not supported'],
      ['FROM hostbox\nENV A=${B\n', "Dockerfile:2: ENV A=${B: syntax error: missing '}'"],
      ['FROM --platform=plan9/mips hostbox\n', 'not for plan9/mips'],
      ['FROM hostbox\nCOPY --from=b /a /\nFROM hostbox AS b\nFROM hostbox\nCOPY --from=0 / /x\n', 'comes later'],
      ['RUN x\n', 'no build stage in current context'],
      ['FROM hostbox\nRUN ["nosuchprogram"]\n', 'executable file not found in $PATH'],
      ['FROM hostbox\nCOPY Dockerfile Dockerfile /file\n', 'the destination must be a directory and end with a /'],
    ] as const) {
      const ran = await build(context({ Dockerfile: dockerfile }));
      expect(ran.stderr, dockerfile).toContain(message);
      expect(ran.code, dockerfile).toBe(code);
    }
  });

  test('limits and networks apply to what is run', async () => {
    const said = await built(
      {
        Dockerfile: `FROM hostbox
RUN cat /proc/self/cgroup; ls /sys/class/net
RUN --network=host test $(ls /sys/class/net | wc -l) -ge 1
`,
      },
      '--network',
      'none',
    );
    expect(said).toMatch(/\nlo\n --->/);
    const bridged = await build(context({ Dockerfile: 'FROM hostbox\nRUN x\n' }), '--network', 'bridge');
    expect(bridged.stderr).toContain('--network bridge');
    const small = await build(
      context({ Dockerfile: 'FROM hostbox\nRUN head -c 80000000 /dev/zero | tail >/dev/null\n' }),
      '-m',
      '32m',
      '--memory-swap',
      '32m',
    );
    expect(small.stderr).toMatch(/returned a non-zero code: /);
  });
});
