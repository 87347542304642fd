import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './testing/engine.ts';
import type { Ran } from './testing/ran.ts';
import { canRunContainers, has } from './testing/tools.ts';

let engine: TestEngine;

beforeAll(async () => {
  if (!canRunContainers) return;
  engine = await TestEngine.start();
  const labels = ['-l', 'a=b', '-l', 'c.d=d'];
  const running = [
    'run',
    '-d',
    '--network',
    'none',
    '--name',
    'w1',
    ...labels,
    '-v',
    '/tmp:/x',
    'hostbox',
    'sleep',
    '1000',
  ];
  expect(await engine.skiff(running)).toMatchObject({ code: 0, stderr: '' });
  const script = 'echo out; echo err >&2; exit 3';
  await engine.skiff(['run', '--network', 'none', '--name', 'w2', 'hostbox', 'sh', '-c', script]);
});

afterAll(async () => {
  await engine?.destroy();
});

/** Docker's own name and, where ours has no options, its usage are the differences that shall be there. */
function asOurs(ran: Ran): Ran {
  return { ...ran, stderr: ran.stderr.replaceAll('docker:', 'skiff:').replaceAll(/docker (?=[-a-z[])/g, 'skiff ') };
}

/** Seconds pass between the two commands. */
function withoutAges(ran: Ran): Ran {
  const calm = (text: string): string =>
    text
      .replace(/(Less than a second|About a minute|\d+ (seconds?|minutes?))( ago)? */g, 'AGE ')
      .replace(/(CREATED|STATUS) +/g, '$1 ');
  return { ...ran, stdout: calm(ran.stdout), stderr: calm(ran.stderr) };
}

async function both(args: string[]): Promise<[docker: Ran, skiff: Ran]> {
  return [withoutAges(asOurs(await engine.docker(args))), withoutAges(await engine.skiff(args))];
}

const inspect = (template: string): string[] => ['inspect', '-f', template, 'w1'];

describe.skipIf(!canRunContainers || !has('docker'))('skiff and docker print the same, byte for byte:', () => {
  test.each(
    [
      ['ps'],
      ['ps', '-a'],
      ['ps', '-aq'],
      ['ps', '-n', '1'],
      ['ps', '-l'],
      ['ps', '-as'],
      ['ps', '--no-trunc', '-a'],
      ['ps', '-aq', '--no-trunc'],
      ['ps', '-a', '--format', 'json'],
      ['ps', '-a', '--format', '{{json .}}'],
      ['ps', '-a', '--format', 'raw'],
      [
        'ps',
        '-a',
        '--format',
        'table {{.ID}}\\t{{.Labels}}\\t{{.Label "a"}}\\t{{.Label "c.d"}}\\t{{.Mounts}}\\t{{.CreatedAt}}',
      ],
      ['ps', '-a', '--format', 'table {{upper .ID}}\\t{{json .Names}}'],
      [
        'ps',
        '-a',
        '--format',
        '{{range split .Names ""}}{{.}}-{{end}}|{{.ID | printf "%.4s"}}|{{if eq .State "running"}}R{{else}}E{{end}}',
      ],
      ['ps', '-aq', '--format', '{{.Names}}'],
      ['ps', '-a', '--format', '{{.ID'],
      ['ps', '-a', '--format', '{{foo .ID}}'],
      ['ps', '--filter', 'name=w1'],
      ['ps', '-a', '--filter', 'status=exited'],
      ['ps', '--filter', 'foo'],
      ['ps', '--filter', 'foo=bar'],
      ['ps', 'x'],
      ['ps', '--foo'],
      ['ps', '-Z'],
      ['ps', '--format'],
      ['images'],
      ['images', '-q'],
      ['images', '--no-trunc'],
      ['images', '--digests'],
      ['images', '--format', 'json'],
      ['images', 'hostbox'],
      ['images', 'nope'],
      ['images', '--format', 'table {{.Repository}}\\t{{.VirtualSize}}\\t{{.CreatedAt}}'],
      ['inspect', 'w1'],
      ['inspect', 'w1', 'w2'],
      ['inspect', 'hostbox'],
      ['inspect', '--type', 'image', 'hostbox'],
      ['inspect', '--type', 'container', 'hostbox'],
      ['inspect', '-s', 'w1'],
      inspect(
        '{{.State.Status}} {{.State.Pid}} {{.Config.Env}} {{.Config.Labels}} {{.HostConfig.Memory}} {{.Config.Cmd}}',
      ),
      inspect(
        '{{.Config.Entrypoint}} {{.Config.Volumes}} {{.HostConfig.CapAdd}} {{.HostConfig.NetworkMode}} {{.State.Health}}',
      ),
      inspect('{{json .State}} {{json .Mounts}} {{json .Config.Labels}}'),
      inspect(
        '{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}',
      ),
      inspect(
        '{{index .Config.Labels "c.d"}}{{index .Config.Labels "nope"}}|{{index .Args 0}}|{{(index .Mounts 0).Source}}',
      ),
      inspect(
        '{{with .State}}{{.Status}}{{end}} {{- " x " -}} {{len .Args}} {{printf "%s|%q|%5d|%05d|%v|%x" .Name .Name 5 5 true 255}}',
      ),
      inspect('{{join .Args ","}} {{and true .Name}} {{or "" "x"}} {{not .Name}} {{print 1 2 "x"}} {{println "x"}}'),
      inspect(
        '{{printf "%d" "x"}} {{printf "%s"}} {{printf "x" 1}} {{html "<a>"}} {{urlquery "a b"}} {{slice "abcdef" 1 3}}',
      ),
      inspect('{{/* c */}}{{$x := .Name}}{{$x}}{{$x = "y"}}{{$x}}'),
      inspect('{{.Foo}}'),
      inspect('{{.Config.Foo}}'),
      inspect('{{.Config.Foo.Bar}}'),
      inspect('{{.Name.Foo}}'),
      inspect('{{index .Args 9}}'),
      inspect('{{len 3}}'),
      inspect('{{nil}}'),
      inspect('{{"x" | .Name}}'),
      inspect('{{.Name'),
      inspect('{{$y}}'),
      inspect('{{break}}'),
      ['logs', 'w2'],
      ['logs', '-t', 'w2'],
      ['logs', '--tail', '1', 'w2'],
      ['logs', '--since', '1h', 'w2'],
      ['logs', 'nope'],
      ['logs'],
      ['top', 'w1'],
      ['top', 'w1', '-o', 'pid,cmd'],
      ['top', 'nope'],
      ['unpause', 'w1', 'nope'],
      ['update', '--pids-limit', '50', 'w1'],
      ['update', '-m', '1k', 'w1'],
      ['update', 'w1'],
      ['stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}} {{.BlockIO}} {{.NetIO}} {{.CPUPerc}}', 'w1', 'w2'],
      ['stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}} {{.MemPerc}} {{.PIDs}}', 'w2'],
      ['stats', '--no-stream', 'nope'],
      ['version', '--format', '{{.Server.Version}} {{json .Server.Components}}'],
      ['info', '--format', '{{.NCPU}} {{.Driver}} {{.CgroupVersion}} {{.ServerVersion}}'],
      ['events', '--since', '1h', '--until', '0s', '--filter', 'container=w2'],
      ['events', '--since', '1h', '--until', '0s', '--format', '{{.Action}} {{.Actor.Attributes.name}}'],
      ['run', '--rm', '--network', 'none', 'hostbox', 'sh', '-c', 'echo a; echo b >&2; exit 42'],
      ['run', '--rm', '--network', 'none', 'hostbox', 'sh', '-c', 'kill -9 $$'],
      ['run', '--rm', '--network', 'none', '--name', 'w1', 'hostbox'],
      ['run', '--rm', '--network', 'none', '--pull', 'never', 'nope'],
      ['run'],
      ['run', '-e'],
      ['run', '-it', 'hostbox'],
      ['run', '--foo', 'hostbox'],
      ['run', '--rm', '--restart', 'always', 'hostbox'],
      ['run', '-d', '-a', 'stdout', 'hostbox'],
      ['create', '--name', 'a b', 'hostbox'],
      ['exec', 'w1', 'echo', 'hi'],
      ['exec', '-e', 'A=5', '-w', '/tmp', '-u', '3', 'w1', 'sh', '-c', 'echo $A $PWD $(id -u); echo e >&2'],
      ['exec', 'w1', 'nope'],
      ['exec', 'w1', '/etc'],
      ['exec', '-it', 'w1', 'sh'],
      ['exec', '-d', 'w1', 'true'],
      ['exec', 'nope', 'ls'],
      ['exec', 'w2', 'ls'],
      ['exec', 'w1'],
      ['start', '-a', 'w2'],
      ['start', 'w1'],
      ['start', 'nope'],
      ['start', '-a', 'w1', 'w2'],
      ['wait', 'w2'],
      ['wait', 'nope'],
      ['stop', 'nope'],
      ['stop', 'nope', 'nope2'],
      ['stop'],
      ['kill', 'nope'],
      ['kill', '-s', 'FOO', 'w1'],
      ['kill', 'w2'],
      ['attach', 'nope'],
      ['attach', 'w2'],
      ['rm', 'nope'],
      ['rm', '-f', 'nope'],
      ['rm', 'w1'],
      ['rm'],
      ['rename', 'a'],
      ['rename', 'nope', 'x'],
      ['rename', 'w1', 'w2'],
      ['restart', 'nope'],
      ['rmi', 'nope'],
      ['tag', 'hostbox', 'team/box:1'],
      ['tag', 'nope', 'x'],
      ['tag', 'hostbox'],
      ['history', 'hostbox'],
      ['history', '-q', 'hostbox'],
      ['history', '--no-trunc', '--format', '{{.ID}} {{.CreatedBy}} {{.Size}} {{.Comment}}', 'hostbox'],
      ['history', 'nope'],
      ['diff', 'w1'],
      ['diff', 'w2'],
      ['diff', 'nope'],
      ['port', 'w1'],
      ['port', 'w1', '80'],
      ['export', 'nope'],
      ['save', 'nope'],
      ['commit', 'nope'],
      ['commit', '-c', 'FROM x', 'w2'],
      ['import', '/no/such/file'],
      ['system', 'df'],
      ['system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}'],
      ['volume', 'create', 'data'],
      ['volume', 'create', 'a/b'],
      ['volume', 'ls'],
      ['volume', 'ls', '-q', '--filter', 'name=data'],
      ['volume', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}}'],
      ['volume', 'inspect', 'data'],
      ['volume', 'rm', 'nope'],
      ['image', 'history', '-q', 'hostbox'],
      ['container', 'diff', 'w2'],
      ['foo'],
      ['container', 'foo'],
      ['container', 'ls', '-q'],
      ['image', 'ls', '-q'],
    ].map((args) => ({ line: args.join(' '), args })),
  )('$line', async ({ args }) => {
    const [docker, skiff] = await both(args);
    expect(skiff).toEqual(docker);
  });

  test.each([
    { args: ['run', '--rm', '--network', 'none', 'hostbox', 'nope'], code: 127 },
    { args: ['run', '--rm', '--network', 'none', 'hostbox', '/etc'], code: 126 },
    { args: ['run', '-m', 'x', 'hostbox'], code: 125 },
    { args: ['run', '--cpus', 'x', 'hostbox'], code: 125 },
    { args: ['inspect', 'nope'], code: 1 },
    { args: ['psx'], code: 1 },
  ])('the exit code of $args', async ({ args, code }) => {
    const [docker, skiff] = await both(args);
    expect([docker.code, skiff.code]).toEqual([code, code]);
    expect(skiff.stderr).not.toBe('');
  });
});

describe.skipIf(!canRunContainers)('exec answers with the exit code of its process', () => {
  test.each([
    ['exit 9', 9],
    ['kill -9 $$', 137],
    ['exec >&- 2>&-; sleep 0.3; exit 7', 7],
  ])('%s', async (script, code) => {
    expect(await engine.skiff(['exec', 'w1', 'sh', '-c', script])).toMatchObject({ code, stdout: '', stderr: '' });
  });
});
