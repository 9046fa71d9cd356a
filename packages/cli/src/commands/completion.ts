import { Args, type Command, type Interfaces } from '@oclif/core';
import type { Completion, CompletionFlag } from '../completion/completion.ts';
import { completionScript, shells, type Shell } from '../completion/script.ts';
import { perform } from '../perform.ts';
import { UsageError } from '../usage-error.ts';
import { DevenvCommand, type CommandClass } from './command.ts';
import { sharedValues } from './flags.ts';

type Table = ReadonlyMap<string, () => Promise<CommandClass>>;

/** The command that prints a script for the commands of a table. */
export function completionOf(table: Table): CommandClass {
  return class Completion extends DevenvCommand {
    static override summary = 'Print a script that lets your shell complete devenv.';
    static override usage = 'completion bash|zsh|fish';
    static override examples: Command.Example[] = [
      'devenv completion bash > ~/.local/share/bash-completion/completions/devenv',
      'devenv completion zsh > ~/.zfunc/_devenv   # a folder of your fpath',
      'devenv completion fish > ~/.config/fish/completions/devenv.fish',
    ];
    static override args: Interfaces.ArgInput = { shell: Args.string({ description: shells.join(', '), options: [...shells] }) };

    async run(): Promise<number> {
      const { args, flags } = await this.parse(Completion);
      const shell: Shell | undefined = args['shell'];
      if (shell === undefined) throw new UsageError('A shell is missing.', `Name one: devenv completion ${shells.join(', ')}`);
      return await perform('completion', sharedValues(flags), async () => {
        const script = completionScript(shell, await describe(table));
        return { json: { shell, script }, text: script };
      });
    }
  };
}

async function describe(table: Table): Promise<Completion> {
  const commands = await Promise.all(
    [...table].map(async ([name, load]) => {
      const command = await load();
      const values = Object.values(command.args).flatMap((argument) => argument.options ?? []);
      const flags = Object.entries(command.flags).map(([flag, definition]) => describeFlag(flag, definition));
      return { name, summary: command.summary ?? '', flags, values, runs: name === 'exec' || name === 'run' };
    }),
  );
  return { commands };
}

function describeFlag(name: string, flag: Interfaces.FlagInput[string]): CompletionFlag {
  const takes =
    flag.type !== 'option'
      ? undefined
      : (flag.options ?? (flag.helpValue === 'DIR' ? 'folder' : flag.helpValue === 'FILE' ? 'file' : 'text'));
  return { name, letter: flag.char, summary: flag.summary ?? '', takes };
}
