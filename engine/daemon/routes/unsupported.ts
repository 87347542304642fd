import type { HTTPMethod } from 'find-my-way';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';

/** The rest of the Docker Engine API, and what to do without it. */
export const UNSUPPORTED: [method: HTTPMethod, path: string, advice: string][] = [
  ['POST', '/plugins/*', 'This engine has no plugins.'],
  ['DELETE', '/plugins/*', 'This engine has no plugins.'],
  ['POST', '/session', 'Set DOCKER_BUILDKIT=0 for clients that insist on it.'],
  ['PUT', '/volumes/*', 'This engine has no cluster volumes.'],
  ...(['configs', 'nodes', 'secrets', 'services', 'swarm', 'tasks'] as const).flatMap((kind) =>
    (['GET', 'POST', 'DELETE'] as const).flatMap((method): [HTTPMethod, string, string][] => [
      [method, `/${kind}`, 'This engine has no swarm: run containers.'],
      [method, `/${kind}/*`, 'This engine has no swarm: run containers.'],
    ]),
  ),
];

export function unsupported(route: string, advice: string): (call: Call) => void {
  return () => {
    throw new ApiError(501, `This engine does not have ${route}. ${advice}`);
  };
}
