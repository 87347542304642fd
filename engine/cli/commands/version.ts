import { type VersionDocument, VersionSchema } from '../api-types.ts';
import { clientVersion } from '../client-version.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { formatDocument } from '../format/document.ts';
import { layOut } from '../format/table.ts';
import { say, write } from '../output.ts';

interface VersionOptions {
  format?: string;
  json?: boolean;
}

export function versionCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('version')
    .description('Show the versions of skiff and its daemon')
    .operands('', 0)
    .option('-f, --format <template>', "'json', or a Go template")
    .option('--json', 'Print one JSON document')
    .examples('skiff version', "skiff version --format '{{.Server.Version}}'")
    .run(async (_operands, { format, json }: VersionOptions) => {
      const text = json || format;
      if (!text) await write(await clientText());
      const server = withReadableTimes(await client.json('GET', '/version', VersionSchema));
      if (text) say(formatDocument({ Client: clientVersion(), Server: server }, json || !format ? 'json' : format));
      else await write(await serverText(server));
    });
}

function clientText(): Promise<string> {
  const client = clientVersion();
  const lines = [
    'Client:',
    ` Version:\t${client.Version}`,
    ` API version:\t${client.ApiVersion}`,
    ` Node version:\t${client.NodeVersion}`,
    ` OS/Arch:\t${client.Os}/${client.Arch}`,
  ];
  return layOut(lines, { narrowest: 20, between: 1 });
}

function serverText(server: VersionDocument): Promise<string> {
  const platform = server.Platform?.Name ? ` ${server.Platform.Name}` : '';
  const lines = ['', `Server:${platform}`];
  for (const component of server.Components ?? []) {
    const details = component.Details ?? {};
    lines.push(` ${component.Name}:`, `  Version:\t${component.Version}`);
    if (component.Name === 'Engine') lines.push(...engineLines(details));
    else
      lines.push(
        ...Object.keys(details)
          .sort()
          .map((name) => `  ${name}:\t${details[name]}`),
      );
  }
  return layOut(lines, { narrowest: 20, between: 1 });
}

function engineLines(details: Record<string, string>): string[] {
  const { ApiVersion, MinAPIVersion, Os, Arch } = details;
  const named = (title: string, field: string): string[] => (details[field] ? [`  ${title}:\t${details[field]}`] : []);
  return [
    `  API version:\t${ApiVersion} (minimum version ${MinAPIVersion})`,
    ...named('Go version', 'GoVersion'),
    ...named('Git commit', 'GitCommit'),
    ...named('Built', 'BuildTime'),
    `  OS/Arch:\t${Os}/${Arch}`,
    ...named('Experimental', 'Experimental'),
  ];
}

/** Docker shows the engine's build time as `Thu May  7 21:09:36 2026`. */
function withReadableTimes(server: VersionDocument): VersionDocument {
  for (const { Name, Details } of server.Components ?? []) {
    const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)/.exec(Details?.BuildTime ?? '');
    if (Name !== 'Engine' || !Details || match === null) continue;
    const [weekday, month] = new Date(`${match[0]}Z`)
      .toUTCString()
      .split(/,? /)
      .filter((word) => /^[A-Z]/.test(word));
    Details.BuildTime = `${weekday} ${month} ${String(Number(match[3])).padStart(2)} ${match[4]} ${match[1]}`;
  }
  return server;
}
