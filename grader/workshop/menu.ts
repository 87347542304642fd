/** `./workshop` alone: set up what is missing, show the map, and offer what can be done next. */

import inquirer from 'inquirer';
import { sayMap } from './list.ts';
import { MARKS, type MapEntry, readMap } from './map.ts';
import { nextStep } from './next-step.ts';
import { setUpPackages } from './setup.ts';
import { isInteractive, paint, say } from './terminal.ts';

/** What the question and the next step take of the screen. */
const MENU_ROWS = 17;

/** Runs a command of the workshop by its words, e.g. `['check', 'process']`, in a process of its own. */
export type RunCommand = (words: string[]) => void;

export async function menu(options: { install: boolean }, runCommand: RunCommand): Promise<void> {
  await setUpPackages(options);
  if (!isInteractive()) {
    sayMap(readMap());
    return;
  }
  try {
    sayMapOnScreen();
    for (;;) {
      const map = readMap();
      say();
      const words = await choose(map);
      if (words === null) return;
      say();
      if (words.length === 0) sayMapOnScreen();
      else runCommand(words);
    }
  } catch (error) {
    // Ctrl-C in a prompt is a way to leave, like Quit.
    if ((error as Error).name !== 'ExitPromptError') throw error;
  }
}

function sayMapOnScreen(): void {
  say();
  sayMap(readMap(), (process.stdout.rows || 24) - MENU_ROWS);
}

/** The words of a command; none for the map, null to leave. */
async function choose(map: MapEntry[]): Promise<string[] | null> {
  const current = map.find((entry) => entry.current)?.lab.id ?? '';
  const next = nextStep(map);
  const nextWords = next.command.replace(/^\.\/workshop /, '').split(' ');
  const isWorkshop = next.command.startsWith('./workshop ');
  const { action } = await inquirer.prompt([
    {
      type: 'select',
      name: 'action',
      message: 'What next?',
      pageSize: 14,
      loop: false,
      choices: [
        ...(isWorkshop && next.command !== './workshop watch'
          ? [{ name: `${next.command.slice('./workshop '.length)}  ${paint.dim('the next step')}`, value: nextWords }]
          : []),
        { name: `check ${current}`, value: ['check', current] },
        { name: `watch ${current}  ${paint.dim('check at every save')}`, value: ['watch', current] },
        { name: `hint ${current}`, value: ['hint', current] },
        { name: `diff ${current}  ${paint.dim('yours against the engine')}`, value: ['diff', current] },
        { name: 'choose a lab …', value: 'labs' as const },
        { name: `doctor  ${paint.dim('what this host can do')}`, value: ['doctor'] },
        { name: 'map', value: [] },
        { name: 'progress', value: ['progress'] },
        { name: 'quit', value: null },
      ],
    },
  ]);
  return action === 'labs' ? chooseLab(map) : action;
}

async function chooseLab(map: MapEntry[]): Promise<string[]> {
  const { id } = await inquirer.prompt([
    {
      type: 'select',
      name: 'id',
      message: 'Which lab?',
      pageSize: 20,
      loop: false,
      choices: map.map(({ lab, state, exists }) => ({
        name: `${MARKS[state]} ${String(lab.number).padStart(2, '0')} ${lab.title}`,
        value: lab.id,
        disabled: exists === undefined ? '(to come)' : false,
      })),
      default: map.find((entry) => entry.current)?.lab.id,
    },
  ]);
  return ['start', id];
}
