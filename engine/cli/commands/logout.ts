import { SkiffCommand } from '../command.ts';
import { complain, say } from '../output.ts';
import { serverKey } from '../registry/addresses.ts';
import { eraseCredentials } from '../registry/credentials.ts';

export function logoutCommand(): SkiffCommand {
  return new SkiffCommand('logout')
    .description('Log out from a registry. If no server is specified, the default is Docker Hub.')
    .operands('[SERVER]', 0, 1)
    .examples('skiff logout', 'skiff logout localhost:5000')
    .run(async ([server = '']) => {
      const key = serverKey(server);
      const had = await eraseCredentials(key);
      if (had) say(`Removing login credentials for ${key}`);
      else complain(`Not logged in to ${key}`);
    });
}
