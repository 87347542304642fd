import { type ContainerSummary, SummariesSchema } from '../api-types.ts';
import { parsed, SkiffCommand, wholeNumber } from '../command.ts';
import type { Context } from '../context.ts';
import { ago } from '../format/duration.ts';
import { ellipsis, shortId } from '../format/ellipsis.ts';
import { goTime } from '../format/go-time.ts';
import { printListing } from '../format/listing.ts';
import { displayPorts } from '../format/ports.ts';
import { humanSize } from '../format/size.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { say } from '../output.ts';
import { quote } from '../template/printf.ts';
import type { Fields } from '../template/values.ts';

interface PsOptions {
  all?: boolean;
  filter?: string[];
  format?: string;
  json?: boolean;
  last?: number;
  latest?: boolean;
  trunc: boolean;
  quiet?: boolean;
  size?: boolean;
}

const HEADERS = {
  ID: 'CONTAINER ID',
  Names: 'NAMES',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Size: 'SIZE',
  Labels: 'LABELS',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
};

/** Sizes cost the daemon a walk through the container's files, so they are asked for only when they are shown. */
const NEEDS_SIZE = /\{\{[^}]*(\.Size\b|json \.\s*\}\})/;

const TABLE = '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';

const RAW = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{.State}}
status: {{.Status}}
names: {{.Names}}
labels: {{- if .Labels}} {{.Labels}}{{end}}
ports: {{- if .Ports}} {{.Ports}}{{end}}
`;

export function psCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('ps')
    .description('List containers')
    .operands('', 0)
    .option('-a, --all', 'Show all containers (default shows just running)')
    .option('-f, --filter <filter>', "Filter output based on conditions, e.g. 'status=exited'", collectFilter)
    .option('--format <template>', "'table', 'table TEMPLATE', 'json', or a Go template for each container")
    .option('--json', 'Print one JSON document: what the daemon knows of them')
    .option('-n, --last <count>', 'Show n last created containers', parsed('-n, --last', 'a whole number', wholeNumber))
    .option('-l, --latest', 'Show the latest created container (includes all states)')
    .option('--no-trunc', "Don't truncate output")
    .option('-q, --quiet', 'Only display container IDs')
    .option('-s, --size', 'Display total file sizes')
    .examples('skiff ps', 'skiff ps -aq', "skiff ps --format 'table {{.Names}}\\t{{.Status}}'", 'skiff ps -a --json')
    .run(async (_operands, options: PsOptions) => {
      const limit = options.latest ? 1 : options.last;
      const size = options.size || NEEDS_SIZE.test(options.format ?? '');
      const query = {
        all: options.all,
        ...(limit !== undefined && limit > 0 && { limit }),
        size: size || undefined,
        filters: filters(options.filter),
      };
      const containers = await client.json('GET', '/containers/json', SummariesSchema, { query });
      if (options.json) return say(JSON.stringify(containers));
      await printListing({
        rows: containers.map((container) => fieldsOf(container, options.trunc)),
        headers: HEADERS,
        format: options.format,
        table: options.size ? `${TABLE}\t{{.Size}}` : TABLE,
        raw: options.size ? `${RAW}size: {{.Size}}\n` : RAW,
        quiet: options.quiet === true,
      });
    });
}

/** What a template may ask of a container. Docker, "docker container ls", "Format the output". */
function fieldsOf(container: ContainerSummary, trunc: boolean): Fields {
  const labels = Object.entries(container.Labels ?? {});
  return {
    ID: () => (trunc ? shortId(container.Id) : container.Id),
    Names: () => names(container, trunc),
    Image: () => image(container, trunc),
    Command: () => quote(trunc ? ellipsis(container.Command, 20) : container.Command),
    CreatedAt: () => goTime(container.Created),
    RunningFor: () => ago(container.Created),
    Platform: () => null,
    Ports: () => displayPorts(container.Ports ?? []),
    State: () => container.State,
    Status: () => container.Status,
    Size: () => size(container),
    Labels: () => labels.map(([name, value]) => `${name}=${value}`).join(','),
    Label: (name: string) => container.Labels?.[name] ?? '',
    LocalVolumes: () => String((container.Mounts ?? []).filter((mount) => mount.Driver === 'local').length),
    Mounts: () => mounts(container, trunc),
    Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
  };
}

/** Without the leading slash; those that only links made (`/web/db`) are shown with --no-trunc alone. */
function names(container: ContainerSummary, trunc: boolean): string {
  const all = (container.Names ?? []).map((name) => name.replace(/^\//, ''));
  return (trunc ? all.filter((name) => !name.includes('/')) : all).join(',');
}

function image(container: ContainerSummary, trunc: boolean): string {
  if (container.Image === '') return '<no image>';
  if (!trunc) return container.Image;
  const isId = container.Image === container.ImageID || /^sha256:[0-9a-f]{64}$/.test(container.Image);
  return isId ? shortId(container.Image) : container.Image.replace(/@sha256:[0-9a-f]{64}$/, '');
}

function size(container: ContainerSummary): string {
  const own = humanSize(container.SizeRw ?? 0, 3);
  const virtual = container.SizeRootFs ?? 0;
  return virtual > 0 ? `${own} (virtual ${humanSize(virtual, 3)})` : own;
}

function mounts(container: ContainerSummary, trunc: boolean): string {
  return (container.Mounts ?? [])
    .map((mount) => mount.Name || mount.Source)
    .map((name) => (trunc ? ellipsis(name, 15) : name))
    .join(',');
}
