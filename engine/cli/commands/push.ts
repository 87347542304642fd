import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, UsageError } from '../errors.ts';
import { say } from '../output.ts';
import { splitReference } from '../pull.ts';
import { completeName } from '../registry/addresses.ts';
import { registryAuth } from '../registry/credentials.ts';
import { followProgress } from '../registry/progress.ts';

interface PushCommandOptions {
  allTags?: boolean;
  platform?: string;
  quiet?: boolean;
}

export function pushCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('push')
    .description('Upload an image to a registry')
    .operands('NAME[:TAG]', 1)
    .option('-a, --all-tags', 'Push all tags of an image to the repository')
    .option('--platform <os/arch>', 'Push the image only if it is for this platform')
    .option('-q, --quiet', 'Suppress verbose output')
    .examples('skiff push localhost:5000/app', 'skiff push -a localhost:5000/app')
    .run(async ([image = ''], { allTags, platform, quiet }: PushCommandOptions) => {
      if (image.includes('@')) throw new CliError('cannot push a digest reference');
      const hasTag = /:[^/]*$/.test(image);
      if (allTags && hasTag) throw new UsageError("tag can't be used with --all-tags/-a");
      if (!allTags && !hasTag && !quiet) say('Using default tag: latest');
      const { name, tag } = allTags ? { name: image, tag: undefined } : splitReference(image);
      const stream = await client.stream('POST', `/images/${encodeURIComponent(name)}/push`, {
        query: { tag, platform: platform === undefined ? undefined : platformDocument(platform) },
        headers: await registryAuth(image),
      });
      await followProgress(stream, quiet ? undefined : process.stdout);
      if (quiet) say(`${completeName(name)}${tag === undefined ? '' : `:${tag}`}`);
    });
}

/** The API's form of `linux/arm64/v8`. */
function platformDocument(text: string): string {
  const [os = '', architecture = '', variant, ...rest] = text.split('/');
  if (os === '' || architecture === '' || rest.length > 0)
    throw new UsageError(`invalid argument "${text}" for "--platform" flag: it must be OS/ARCH or OS/ARCH/VARIANT`);
  return JSON.stringify({ os, architecture, ...(variant !== undefined && { variant }) });
}
