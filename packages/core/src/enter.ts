import { dirname, join } from 'node:path';
import type { CommandOptions, Exit, Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { findConfig, notAFile } from './config/find-config.ts';
import { environmentId, Environments, type EnvironmentRecord } from './container/environment.ts';
import type { Container, ExecOptions } from './engine/engine.ts';
import { engineName, openContainer, placesOf, userId } from './open-tools.ts';
import { execute } from './session/execute.ts';
import { shellCommand } from './session/shell-command.ts';

/** Runs a command in the running environment. Neither the file nor the store is read: entering must cost next to nothing. */
export async function exec(options: CommandOptions): Promise<Exit> {
  const { container } = await enter(options);
  return execute(container, options.command, { ...commandOptions(options), signal: options.signal });
}

/** A login shell, after the `attach` hooks. */
export async function shell(options: Omit<CommandOptions, 'command'>): Promise<Exit> {
  const { container, record, logs } = await enter(options);
  if (record.attach.length > 0) {
    const { runHooks } = await import('./container/run-hooks.ts');
    await runHooks('attach', record.attach, { container, report: options.report, signal: options.signal, logs });
  }
  return execute(container, shellCommand, { ...commandOptions(options), signal: options.signal });
}

async function enter(
  options: Options,
): Promise<{ readonly container: Pick<Container, 'exec'>; readonly record: EnvironmentRecord; readonly logs: string }> {
  const configFile = configOrThrow(options);
  const folder = dirname(configFile);
  const environments = new Environments(placesOf(options));
  const id = environmentId({ folder, configFile, engine: engineName, uid: userId() });
  const record = environments.read(id);
  if (!record) throw new UserError('NOT_RUNNING', `There is no environment for ${folder} yet.`, { hint: 'Start it: devenv up' });
  return { container: await openContainer(options, record.spec.id), record, logs: join(environments.folder(id), 'logs') };
}

/** A terminal when both ends are one, unless the caller says. */
export function commandOptions(options: Omit<CommandOptions, 'command'>): Omit<ExecOptions, 'stdio'> {
  return {
    terminal: options.terminal ?? (process.stdin.isTTY === true && process.stdout.isTTY === true),
    ...(options.extraEnv ? { env: options.extraEnv } : {}),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.workdir === undefined ? {} : { workdir: options.workdir }),
  };
}

export function configOrThrow(options: Options): string {
  const found = findConfig(options);
  if (found === undefined) {
    throw new UserError('CONFIG_NOT_FOUND', `There is no devenv.json in ${options.cwd} or above.`, {
      hint: 'Go to a folder of your project, or name the file: --config FILE',
    });
  }
  const trouble = notAFile(found);
  if (trouble !== undefined) throw new UserError('CONFIG_INVALID', `${found} ${trouble}`);
  return found;
}
