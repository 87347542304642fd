import { capabilityNames as ALL } from '#kernel/capability-names';
import { defaultCapabilities as DEFAULT, hostCapabilities as readHostCapabilities } from '../runtime/capabilities.ts';
import { ContainerError } from './errors.ts';

let own: string[] | undefined;

/** What this host lets the engine have, which nothing changes while it lives. */
export function hostCapabilities(): string[] {
  own ??= readHostCapabilities();
  return own;
}

/**
 * The capabilities of a container: Docker's default set, what is added, less what is dropped. Names may lack `CAP_` and
 * be in any case; `ALL` is every one this host lets the engine have. Defaults the host lacks are left out.
 * @throws ContainerError `invalid` for a malformed name, or an added one that the host does not have.
 */
export function containerCapabilities(
  { add, drop, privileged }: { add: string[]; drop: string[]; privileged: boolean },
  host: string[] = hostCapabilities(),
): string[] {
  if (privileged) return host;
  const added = add.map(canonical);
  const dropped = drop.map(canonical);
  const missing = added.find((name) => name !== 'ALL' && !host.includes(name));
  if (missing)
    throw new ContainerError('invalid', `${missing} cannot be added: this host does not let the engine have it.`);
  const base: readonly string[] = added.includes('ALL') ? ALL : dropped.includes('ALL') ? [] : DEFAULT;
  return ALL.filter((name) => (base.includes(name) || added.includes(name)) && host.includes(name)).filter(
    (name) => !dropped.includes(name),
  );
}

function canonical(name: string): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return upper;
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!ALL.some((known) => known === full))
    throw new ContainerError(
      'invalid',
      `invalid capability: "${name.slice(0, 60)}". Names are those of capabilities(7).`,
    );
  return full;
}
