import { argumentsOf, parseLine } from '../command-line.ts';
import { createContainer } from '../create-container.ts';
import { deleteContainer } from '../delete-container.ts';
import { stayWith } from '../foreground.ts';
import { launchOptions, readLaunchOptions } from '../launch-options.ts';
import type { Command } from '../settings.ts';
import { startCreated } from '../start-created.ts';

export const command: Command = async (words, { root, log }) => {
  const line = parseLine({ ...launchOptions, detach: { value: false, short: 'd' }, keep: { value: false } }, words);
  const [id] = argumentsOf(line, 'run', 1);
  const stays = !line.flags.has('detach');
  const { record, started } = await createContainer({ ...readLaunchOptions(line), id, root, log, stays });
  try {
    startCreated(root, record);
    if (!stays) return 0;
    return await stayWith(started);
  } catch (error) {
    deleteContainer(root, record.id, true);
    throw error;
  } finally {
    if (stays && !line.flags.has('keep')) deleteContainer(root, record.id, true);
  }
};
