/** `--change` of commit and import: instructions that change an image's configuration. Docker, "docker commit", "--change". */

import { configure, expand } from '#build';
import type { Execution } from '../documents.ts';
import { InvalidBuild } from './build-error.ts';
import { changeOf, healthcheckOf } from './config-step.ts';
import { parseInstruction } from './dockerfile.ts';
import type { State } from './state.ts';

const ALLOWED = 'CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR'.split(' ');
const ESCAPE = '\\';

/** @param changes one or more instructions each, on lines of their own. @throws InvalidBuild */
export function applyChanges(execution: Execution, changes: string[]): Execution {
  let changed: State['execution'] = { ...execution } as State['execution'];
  let ownCommand = false;
  for (const text of changes.flatMap((each) => each.split('\n')).filter((each) => each.trim() !== '')) {
    const instruction = parseInstruction(text, '--change', ESCAPE);
    const { keyword } = instruction;
    if (!ALLOWED.includes(keyword))
      throw new InvalidBuild(`${keyword} is not a valid change command; there are ${ALLOWED.join(', ')}`);
    if (keyword === 'HEALTHCHECK') changed = { ...changed, Healthcheck: healthcheckOf(instruction) };
    else if (keyword === 'ONBUILD') {
      const value = parseInstruction(instruction.text, '--change ONBUILD').statement;
      changed = configure(changed, { keyword, value }, ownCommand) as State['execution'];
    } else {
      const word = (value: string) => expand(value, variablesOf(changed.Env ?? []), ESCAPE);
      const change = changeOf(instruction, ESCAPE, word);
      if (change) changed = configure(changed, change, ownCommand) as State['execution'];
      ownCommand ||= keyword === 'CMD';
    }
  }
  return changed;
}

function variablesOf(environment: string[]): Record<string, string> {
  return Object.fromEntries(
    environment.map((entry) => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}
