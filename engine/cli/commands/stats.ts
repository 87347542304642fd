import { setTimeout as delay } from 'node:timers/promises';
import { type StatsDocument, StatsSchema, SummariesSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import { containerPath } from '../containers.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';
import { shortId } from '../format/ellipsis.ts';
import { printListing } from '../format/listing.ts';
import { bytesSize, humanSize } from '../format/size.ts';
import { complain, say, write } from '../output.ts';
import type { Fields } from '../template/values.ts';

interface StatsOptions {
  all?: boolean;
  format?: string;
  json?: boolean;
  stream: boolean;
  trunc: boolean;
}

const HEADERS = {
  Container: 'CONTAINER',
  ID: 'CONTAINER ID',
  Name: 'NAME',
  CPUPerc: 'CPU %',
  MemUsage: 'MEM USAGE / LIMIT',
  MemPerc: 'MEM %',
  NetIO: 'NET I/O',
  BlockIO: 'BLOCK I/O',
  PIDs: 'PIDS',
};
const TABLE = '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}';

/** Milliseconds from one look to the next. */
const INTERVAL = 1000;
/** To the top left, and everything below the cursor away. ECMA-48, CUP and ED. */
const CLEAR = '\x1b[H\x1b[J';

export function statsCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('stats')
    .description('Display a live stream of container(s) resource usage statistics')
    .operands('[CONTAINER...]', 0, Number.POSITIVE_INFINITY)
    .option('-a, --all', 'Show all containers (default shows just running)')
    .option('--format <template>', "'table', 'table TEMPLATE', 'json', or a Go template for each container")
    .option('--json', 'Print what the daemon says, one line of JSON for each container')
    .option('--no-stream', 'Disable streaming stats and only pull the first result')
    .option('--no-trunc', 'Do not truncate output')
    .examples(
      'skiff stats',
      'skiff stats --no-stream web db',
      "skiff stats --format 'table {{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}'",
    )
    .run(async (names, options: StatsOptions) => {
      let before = new Map<string, StatsDocument>();
      for (let isFirst = true; ; isFirst = false) {
        const wanted = names.length > 0 ? names : await running(options.all === true);
        const found = await Promise.all(wanted.map((name) => look(name, options.stream, isFirst)));
        const all = found.filter((each) => each !== null);
        if (options.stream) for (const each of all) each.precpu_stats = before.get(each.id)?.cpu_stats ?? null;
        if (process.stdout.isTTY && options.stream && !options.json) await write(CLEAR);
        await show(all, options);
        if (!options.stream || (names.length > 0 && all.length === 0)) return;
        before = new Map(all.map((each) => [each.id, each]));
        await delay(INTERVAL);
      }
    });

  async function running(all: boolean): Promise<string[]> {
    const containers = await client.json('GET', '/containers/json', SummariesSchema, { query: { all } });
    return containers.map(({ Id }) => Id);
  }

  /** One that has gone meanwhile is left out; one that was never there is an error. */
  async function look(name: string, isStream: boolean, isFirst: boolean): Promise<StatsDocument | null> {
    try {
      return await client.json('GET', containerPath(name, '/stats'), StatsSchema, {
        query: { stream: false, ...(isStream && { 'one-shot': true }) },
      });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404 || isFirst) throw error;
      complain(error.message);
      return null;
    }
  }
}

async function show(all: StatsDocument[], { json, format, trunc }: StatsOptions): Promise<void> {
  if (json) {
    for (const each of all) say(JSON.stringify(each));
    return;
  }
  await printListing({
    rows: all.map((each) => fieldsOf(each, trunc)),
    headers: HEADERS,
    format,
    table: TABLE,
    raw: TABLE.replaceAll('\t', '\n'),
  });
}

/** What a template may ask of a container. Docker, "docker container stats", "Format the output". */
function fieldsOf(stats: StatsDocument, trunc: boolean): Fields {
  const { memory_stats: memory, pids_stats: pids } = stats;
  const used = usedMemory(memory);
  const limit = memory.limit ?? 0;
  const pair = (one: number, other: number) => `${humanSize(one, 3)} / ${humanSize(other, 3)}`;
  return {
    Container: () => stats.id,
    ID: () => (trunc ? shortId(stats.id) : stats.id),
    Name: () => stats.name.replace(/^\//, ''),
    CPUPerc: () => `${cpuPercent(stats).toFixed(2)}%`,
    MemUsage: () => `${bytesSize(used)} / ${bytesSize(limit)}`,
    MemPerc: () => `${(limit > 0 ? (used / limit) * 100 : 0).toFixed(2)}%`,
    NetIO: () => {
      const all = Object.values(stats.networks ?? {});
      return pair(total(all.map((each) => each.rx_bytes)), total(all.map((each) => each.tx_bytes)));
    },
    BlockIO: () => {
      const all = stats.blkio_stats?.io_service_bytes_recursive ?? [];
      const of = (op: string) => total(all.filter((each) => each.op.toLowerCase() === op).map((each) => each.value));
      return pair(of('read'), of('write'));
    },
    PIDs: () => String(pids?.current ?? 0),
  };
}

const total = (numbers: number[]) => numbers.reduce((sum, each) => sum + each, 0);

/** Without what the kernel gives back as soon as somebody needs it. */
function usedMemory({ usage = 0, stats }: StatsDocument['memory_stats']): number {
  const cached = stats?.total_inactive_file ?? stats?.inactive_file ?? 0;
  return cached < usage ? usage - cached : usage;
}

/** Of one CPU: 200 % are two of them. The first look has nothing to compare with. */
function cpuPercent({ cpu_stats: now, precpu_stats: before }: StatsDocument): number {
  const used = now.cpu_usage.total_usage - (before?.cpu_usage.total_usage ?? 0);
  const passed = (now.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  return before?.system_cpu_usage === undefined || used <= 0 || passed <= 0
    ? 0
    : (used / passed) * (now.online_cpus ?? 1) * 100;
}
