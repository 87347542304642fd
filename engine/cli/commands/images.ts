import { type ImageSummary, ImagesSchema } from '../api-types.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { ago } from '../format/duration.ts';
import { shortId } from '../format/ellipsis.ts';
import { goTime } from '../format/go-time.ts';
import { printListing } from '../format/listing.ts';
import { humanSize } from '../format/size.ts';
import { collectFilter, filters } from '../options/filters.ts';
import { say } from '../output.ts';
import type { Fields } from '../template/values.ts';

interface ImagesOptions {
  all?: boolean;
  digests?: boolean;
  filter?: string[];
  format?: string;
  json?: boolean;
  trunc: boolean;
  quiet?: boolean;
}

const HEADERS = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
};

const TABLE = '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';
const WITH_DIGEST = '{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';
const RAW = `repository: {{.Repository}}
tag: {{.Tag}}
image_id: {{.ID}}
created_at: {{.CreatedAt}}
virtual_size: {{.Size}}
`;
const NONE = '<none>';

export function imagesCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('images')
    .description('List images')
    .operands('[REPOSITORY[:TAG]]', 0, 1)
    .option('-a, --all', 'Show all images (default hides intermediate images)')
    .option('--digests', 'Show digests')
    .option('-f, --filter <filter>', "Filter output based on conditions, e.g. 'dangling=true'", collectFilter)
    .option('--format <template>', "'table', 'table TEMPLATE', 'json', or a Go template for each image")
    .option('--json', 'Print one JSON document: what the daemon knows of them')
    .option('--no-trunc', "Don't truncate output")
    .option('-q, --quiet', 'Only show image IDs')
    .examples('skiff images', 'skiff images -q', "skiff images --format '{{.Repository}}:{{.Tag}}'")
    .run(async ([reference], options: ImagesOptions) => {
      const asked = [...(options.filter ?? []), ...(reference === undefined ? [] : [`reference=${reference}`])];
      const query = { all: options.all, filters: filters(asked.length > 0 ? asked : undefined) };
      const images = await client.json('GET', '/images/json', ImagesSchema, { query });
      if (options.json) return say(JSON.stringify(images));
      const wantDigest = options.digests === true || /\.Digest\b/.test(options.format ?? '');
      await printListing({
        rows: images.flatMap((image) => rowsOf(image, options.trunc, wantDigest)),
        headers: HEADERS,
        format: options.format,
        table: options.digests ? WITH_DIGEST : TABLE,
        raw: RAW,
        quiet: options.quiet === true,
      });
    });
}

interface Name {
  repository: string;
  tag: string;
  digest: string;
}

/** One line for each tag; with digests, one for each pair of tag and digest of a repository. */
function namesOf(image: ImageSummary, wantDigest: boolean): Name[] {
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== '<none>:<none>').map((tag) => split(tag, ':'));
  const digests = (image.RepoDigests ?? []).filter((each) => each !== '<none>@<none>').map((each) => split(each, '@'));
  const names: Name[] = [];
  for (const [repository, tag] of tags) {
    const own = wantDigest ? digests.filter(([of]) => of === repository).map(([, digest]) => digest) : [];
    for (const digest of own.length > 0 ? own : [NONE]) names.push({ repository, tag, digest });
  }
  const untagged = digests.filter(([repository]) => !tags.some(([of]) => of === repository));
  for (const [repository, digest] of untagged)
    names.push({ repository, tag: NONE, digest: wantDigest ? digest : NONE });
  return names.length > 0 ? names : [{ repository: NONE, tag: NONE, digest: NONE }];
}

function split(text: string, separator: string): [string, string] {
  const at = text.lastIndexOf(separator);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** What a template may ask of an image. Docker, "docker image ls", "Format the output". */
function rowsOf(image: ImageSummary, trunc: boolean, wantDigest: boolean): Fields[] {
  return namesOf(image, wantDigest).map(({ repository, tag, digest }) => ({
    ID: () => (trunc ? shortId(image.Id) : image.Id),
    Repository: () => repository,
    Tag: () => tag,
    Digest: () => digest,
    CreatedSince: () => ago(image.Created),
    CreatedAt: () => goTime(image.Created),
    Size: () => humanSize(image.Size, 3),
    Containers: () => (image.Containers >= 0 ? String(image.Containers) : 'N/A'),
    VirtualSize: () => humanSize(image.Size),
    SharedSize: () => 'N/A',
    UniqueSize: () => 'N/A',
  }));
}
