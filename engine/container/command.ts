import type { Execution } from '../image/documents.ts';
import { ContainerConfig } from './config.ts';
import { ContainerError } from './errors.ts';

/** The request completed by what the image says: the image's value stands wherever the request has none. */
export function mergeImageConfig(config: ContainerConfig, image: Execution): ContainerConfig {
  const entrypoint = config.Entrypoint ?? image.Entrypoint ?? null;
  // A new entrypoint does away with the image's command, which was meant for the old one.
  const command = (config.Entrypoint ?? []).length === 0 && (config.Cmd ?? []).length === 0 ? image.Cmd : config.Cmd;
  return {
    ...config,
    User: config.User || image.User || '',
    Env: overrideEnvironment(image.Env ?? [], config.Env),
    Cmd: command ?? null,
    // `--entrypoint ""` arrives as one empty string and stands for no entrypoint at all.
    Entrypoint: entrypoint?.length === 1 && entrypoint[0] === '' ? null : entrypoint,
    WorkingDir: config.WorkingDir || image.WorkingDir || '',
    Volumes: { ...image.Volumes, ...config.Volumes },
    Labels: { ...image.Labels, ...config.Labels },
    ExposedPorts: { ...image.ExposedPorts, ...config.ExposedPorts },
    StopSignal: config.StopSignal || image.StopSignal || '',
    Healthcheck: mergeHealthcheck(
      config.Healthcheck,
      ContainerConfig.shape.Healthcheck.catch(null).parse(image.Healthcheck),
    ),
  };
}

/** Each of its fields comes from the image where the request leaves it empty. */
function mergeHealthcheck(
  own: ContainerConfig['Healthcheck'],
  image: ContainerConfig['Healthcheck'],
): ContainerConfig['Healthcheck'] {
  if (own === null || image === null) return own ?? image;
  return {
    Test: own.Test.length > 0 ? own.Test : image.Test,
    Interval: own.Interval || image.Interval,
    Timeout: own.Timeout || image.Timeout,
    StartPeriod: own.StartPeriod || image.StartPeriod,
    StartInterval: own.StartInterval || image.StartInterval,
    Retries: own.Retries || image.Retries,
  };
}

/** @throws ContainerError `invalid` when there is nothing to run. */
export function commandLine(config: ContainerConfig): string[] {
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (args.length === 0)
    throw new ContainerError('invalid', 'no command specified: the image names none, so say what to run.');
  return args;
}

/** The image's variables that the request says nothing of, and what the request says: that one is to be taken away, too. */
function overrideEnvironment(image: string[], own: string[]): string[] {
  const variables = new Map([...image, ...own].map((entry) => [entry.split('=', 1)[0], entry]));
  return [...variables.values()];
}

/** Later entries win; an entry without `=` takes the variable away. */
export function mergeEnvironment(...lists: string[][]): string[] {
  const variables = new Map<string, string>();
  for (const entry of lists.flat()) {
    const name = entry.split('=', 1)[0] ?? '';
    if (entry.includes('=')) variables.set(name, entry);
    else variables.delete(name);
  }
  return [...variables.values()];
}
