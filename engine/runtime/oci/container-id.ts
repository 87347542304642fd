import { RuntimeError } from './error.ts';

const LONGEST = 255;

/** An id names a directory, so it must be one plain name. @throws RuntimeError */
export function checkContainerId(id: string | undefined): string {
  if (id === undefined || id === '') throw new RuntimeError('container id cannot be empty');
  if (!/^[A-Za-z0-9_+.-]+$/.test(id) || id === '.' || id === '..' || id.length > LONGEST)
    throw new RuntimeError(
      `invalid container ID format: ${JSON.stringify(id.slice(0, 80))} is not made of at most ${LONGEST} letters, digits, _, +, - and .`,
    );
  return id;
}
