import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { say } from '../output.ts';
import { pullImage, splitReference } from '../pull.ts';
import { completeName } from '../registry/addresses.ts';

interface PullCommandOptions {
  allTags?: boolean;
  platform?: string;
  quiet?: boolean;
}

export function pullCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('pull')
    .description('Download an image from a registry')
    .operands('NAME[:TAG|@DIGEST]', 1)
    .option('-a, --all-tags', 'Download all tagged images in the repository')
    .option('--platform <os/arch>', 'Set platform if server is multi-platform capable')
    .option('-q, --quiet', 'Suppress verbose output')
    .examples('skiff pull localhost:5000/app', 'skiff pull --platform linux/arm64 localhost:5000/app:1.0')
    .run(async ([image = ''], options: PullCommandOptions) => {
      const hasTag = /@|:[^/]*$/.test(image);
      if (options.allTags && hasTag) throw new UsageError("tag can't be used with --all-tags/-a");
      if (!options.allTags && !hasTag && !options.quiet) say('Using default tag: latest');
      await pullImage(client, image, { ...options, out: process.stdout, exitCode: 1 });
      if (options.allTags) return;
      const { name, tag } = splitReference(image);
      say(`${completeName(name)}${tag.includes(':') ? '@' : ':'}${tag}`);
    });
}
