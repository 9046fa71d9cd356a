import { CommandHelp, type Command, type Config } from '@oclif/core';
import { commands, imageCommands } from './commands.ts';
import type { CommandClass } from './commands/command.ts';
import { sharedFlags } from './commands/flags.ts';

/** `devenv --help`: an example first, then every command and the flags they share. */
export async function rootHelp(): Promise<string> {
  const own = [...commands].filter(([name]) => !imageCommands.includes(name));
  const summaries = await Promise.all(own.map(async ([name, load]) => [name, (await load()).summary ?? ''] as const));
  return [
    'Development environments from one devenv.json: cached layers, a container, your folder inside.',
    '',
    '  $ devenv up && devenv shell',
    '',
    ...columns(summaries),
    '',
    "Images and containers, as Docker's",
    ...wrapped(imageCommands),
    '',
    'Flags of every command',
    ...columns(
      Object.entries(sharedFlags).map(([name, flag]) => [
        `${flag.char ? `-${flag.char}, ` : ''}--${name}${flag.type === 'option' ? ` ${String(flag.helpValue)}` : ''}`,
        flag.summary ?? '',
      ]),
    ),
    '',
    'devenv COMMAND --help tells more. Without a command, devenv says what to do next in this folder.',
  ].join('\n');
}

/** A command's help: summary, examples, usage, its own flags. */
export function commandHelp(name: string, command: CommandClass, config: Config): string {
  const loadable = {
    id: name,
    summary: command.summary,
    usage: command.usage,
    examples: command.examples,
    args: Object.fromEntries(Object.entries(command.args).map(([arg, definition]) => [arg, { ...definition, name: arg }])),
    flags: command.flags,
    aliases: [],
    hiddenAliases: [],
    hidden: false,
  };
  const shared = Object.entries(sharedFlags).map(([flag, { char }]) => (char ? `-${char}/--${flag}` : `--${flag}`));
  const body = new ExamplesFirst(loadable as unknown as Command.Loadable, config, {
    maxWidth: Math.min(process.stdout.columns ?? 100, 100),
  }).generate();
  return [command.summary ?? '', '', body, '', `Also: ${shared.join(', ')}; see devenv --help.`].join('\n');
}

class ExamplesFirst extends CommandHelp {
  protected override sections(): ReturnType<CommandHelp['sections']> {
    const wanted = ['EXAMPLES', 'USAGE', 'ARGUMENTS', 'FLAGS'];
    return super
      .sections()
      .filter(({ header }) => wanted.includes(header))
      .toSorted((a, b) => wanted.indexOf(a.header) - wanted.indexOf(b.header));
  }
}

/** Several words a line, to keep all on one screen. */
function wrapped(words: readonly string[]): string[] {
  const perLine = 11;
  return Array.from(
    { length: Math.ceil(words.length / perLine) },
    (_, line) => `  ${words.slice(line * perLine, (line + 1) * perLine).join('  ')}`,
  );
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
