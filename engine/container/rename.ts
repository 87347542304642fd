import type { Container } from './container.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';
import { parseName } from './identity.ts';

/** @throws ContainerError `invalid` for what is not a name, `conflict` when it is in use */
export async function renameContainer(engine: Engine, container: Container, newName: string): Promise<void> {
  const name = parseName(newName);
  const old = container.record.name;
  if (name === old) throw new ContainerError('invalid', 'Renaming a container with the same name as its current name');
  engine.containers.reserve(name, container.id);
  container.record.name = name;
  try {
    await container.save();
  } catch (error) {
    container.record.name = old;
    engine.containers.release(name);
    throw error;
  }
  engine.containers.release(old);
  engine.networks.names.rename(container.record);
  emitContainerEvent(engine, container, 'rename', { oldName: `/${old}` });
}
