import type { CommandOptions, Exit } from '@devenv/core';
import type { BuildFlags, CommandFlags } from '../command-line.ts';
import { perform, type Core, type Outcome, type Tools } from '../perform.ts';

export async function exec(flags: CommandFlags, command: readonly string[]): Promise<number> {
  return await perform('exec', flags, async (tools) => ended(await tools.core.exec({ ...commandOptions(tools, flags), command })));
}

export async function shell(flags: CommandFlags): Promise<number> {
  return await perform('shell', flags, async (tools) => ended(await tools.core.shell(commandOptions(tools, flags))));
}

export interface ImageFlags {
  readonly image: string | undefined;
  readonly volumes: readonly string[];
  readonly ports: readonly string[];
  readonly name: string | undefined;
  readonly entrypoint: string | undefined;
  readonly keep: boolean;
  readonly detach: boolean;
  readonly interactive: boolean;
}

/** `words`: the image, when no flag names it and no devenv.json is meant, and the command. */
export async function runAny(flags: CommandFlags & BuildFlags & ImageFlags, words: readonly string[]): Promise<number> {
  return await perform('run', flags, async (tools) => {
    const { core, options } = tools;
    const isNamed = flags.image !== undefined;
    if (!isNamed && (await core.hasConfig(options))) {
      refuseImageFlags(core, flags);
      if (words.length === 0) throw new core.UserError('USAGE', 'A command is missing.', { hint: 'Name one: devenv run npm test' });
      return ended(
        await core.run({
          ...commandOptions(tools, flags),
          command: words,
          noCache: flags.noCache,
          refresh: flags.refresh,
          frozen: flags.frozen,
          offline: flags.offline,
        }),
      );
    }
    const image = flags.image ?? words[0];
    if (image === undefined)
      throw new core.UserError('USAGE', 'There is no devenv.json here, and no image is named.', {
        hint: 'Name one: devenv run -it ubuntu',
      });
    const { keep, detach, interactive, volumes, ports, name, entrypoint } = flags;
    const result = await core.runImage({
      ...commandOptions(tools, flags),
      image,
      command: isNamed ? words : words.slice(1),
      volumes,
      ports,
      keep,
      detach,
      interactive,
      ...(name === undefined ? {} : { name }),
      ...(entrypoint === undefined ? {} : { entrypoint }),
      onOutput: (stream, bytes) => process[stream].write(bytes),
    });
    if (detach) return { text: result.containerId, json: { containerId: result.containerId } };
    return { ...(keep ? { message: describeKept(result) } : {}), ...ended(result) };
  });
}

function describeKept({ containerId, connected }: { readonly containerId: string; readonly connected: boolean }): string {
  const next = connected ? `devenv commit ${containerId} IMAGE` : `devenv start ${containerId}`;
  return `Kept ${containerId} · next: devenv logs ${containerId}, ${next}`;
}

function refuseImageFlags({ UserError }: Core, flags: ImageFlags): void {
  const given = [
    ['--volume', flags.volumes.length > 0],
    ['--publish', flags.ports.length > 0],
    ['--name', flags.name !== undefined],
    ['--entrypoint', flags.entrypoint !== undefined],
    ['--keep', flags.keep],
    ['--detach', flags.detach],
  ].find(([, isGiven]) => isGiven);
  if (given)
    throw new UserError('USAGE', `${given[0]} is for running an image, and there is a devenv.json here.`, {
      hint: 'Say which image: devenv run --image ubuntu …; or put it into devenv.json.',
    });
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
