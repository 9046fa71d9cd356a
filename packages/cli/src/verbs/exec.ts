import type { CommandOptions, Exit } from '@devenv/core';
import type { BuildFlags, CommandFlags } from '../command-line.ts';
import { perform, type Core, type Outcome, type Tools } from '../perform.ts';

export async function exec(flags: CommandFlags, command: readonly string[]): Promise<number> {
  return await perform('exec', flags, async (tools) => ended(await tools.core.exec({ ...commandOptions(tools, flags), command })));
}

export async function shell(flags: CommandFlags): Promise<number> {
  return await perform('shell', flags, async (tools) => ended(await tools.core.shell(commandOptions(tools, flags))));
}

export async function run(flags: CommandFlags & BuildFlags, command: readonly string[]): Promise<number> {
  return await perform('run', flags, async (tools) =>
    ended(await tools.core.run({ ...commandOptions(tools, flags), command, noCache: flags.noCache, refresh: flags.refresh })),
  );
}

function commandOptions({ core, options }: Tools, flags: CommandFlags): Omit<CommandOptions, 'command'> {
  return {
    ...options,
    extraEnv: environment(core, flags.env, options.env),
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.workdir === undefined ? {} : { workdir: flags.workdir }),
    ...(flags.terminal === undefined ? {} : { terminal: flags.terminal }),
  };
}

/** `NAME=value`, or `NAME` for the caller's own value; as Docker's, a name the caller lacks is left out. */
function environment(core: Core, entries: readonly string[], own: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const entry of entries) {
    const equals = entry.indexOf('=');
    const name = equals === -1 ? entry : entry.slice(0, equals);
    if (name === '')
      throw new core.UserError('USAGE', `-e ${entry}: a name is missing.`, {
        hint: 'Write -e NAME=value, or -e NAME to pass your own value on.',
      });
    const value = equals === -1 ? own[name] : entry.slice(equals + 1);
    if (value !== undefined) result[name] = value;
  }
  return result;
}

/** The command's output was its own; we only say what its user cannot see from inside. */
function ended({ exitCode, oomKilled }: Exit): Outcome {
  return {
    exitCode,
    ...(oomKilled ? { message: 'The command ran out of memory and was killed. Hint: raise limits.memory in devenv.json.' } : {}),
  };
}
