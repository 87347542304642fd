import fs from 'node:fs';
import type { ApiClient } from './api-client.ts';
import { CreatedSchema } from './api-types.ts';
import { ApiError, CliError, errorText } from './errors.ts';
import type { ContainerOptions } from './options/container-options.ts';
import type { CreateBody } from './options/create-body.ts';
import { complain } from './output.ts';
import { pullImage } from './pull.ts';

/** Make a container as the options say, pulling its image if that is missing; returns its id. */
export async function createContainer(client: ApiClient, body: CreateBody, options: ContainerOptions): Promise<string> {
  if (options.cidfile !== undefined && fs.existsSync(options.cidfile)) {
    throw new CliError(
      `container ID file found, make sure the other container isn't running or delete ${options.cidfile}`,
      125,
    );
  }
  if (options.pull === 'always') await pullImage(client, body.Image, options);
  const create = (): Promise<{ Id: string; Warnings: string[] | null }> =>
    client.json('POST', '/containers/create', CreatedSchema, {
      body,
      query: { name: options.name, platform: options.platform },
    });
  let created: Awaited<ReturnType<typeof create>>;
  try {
    created = await create();
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404) || options.pull !== 'missing') throw error;
    // It is not here, or not for the platform that was asked for.
    if (!/no such image|^image .* is for .*, not for /i.test(error.reason)) throw error;
    complain(`Unable to find image '${withTag(body.Image)}' locally`);
    await pullImage(client, body.Image, options);
    created = await create();
  }
  for (const warning of created.Warnings ?? []) complain(`WARNING: ${warning}`);
  if (options.cidfile !== undefined) writeIdFile(options.cidfile, created.Id);
  return created.Id;
}

function writeIdFile(file: string, id: string): void {
  try {
    fs.writeFileSync(file, id, { flag: 'wx' });
  } catch (error) {
    throw new CliError(`the container ID file "${file}" cannot be written: ${errorText(error)}`, 125);
  }
}

/** A reference without tag and digest means `latest`. */
export function withTag(image: string): string {
  return image.includes('@') || /:[^/]*$/.test(image) ? image : `${image}:latest`;
}
