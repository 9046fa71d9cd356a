import { dirname } from 'node:path';
import type { Logs, Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import type { Report } from './base/events.ts';
import { environmentId, Environments } from './container/environment.ts';
import type { LogOptions } from './engine/engine.ts';
import { configOrThrow } from './enter.ts';
import { engineName, openTools, userId } from './open-tools.ts';
import { findContainer } from './survey.ts';

export function tellGap(report: Report): void {
  report({
    type: 'notice',
    level: 'warning',
    message: 'What came here may be missing: of a long log only the beginning and the end are kept.',
  });
}

/** The log of the environment's container, running or not. The file is not read: what is asked for may have been made from another. */
export async function logs(options: Options & LogOptions): Promise<Logs> {
  const configFile = configOrThrow(options);
  const folder = dirname(configFile);
  const tools = await openTools(options);
  const id = environmentId({ folder, configFile, engine: engineName, uid: userId() });
  const container = await findContainer(tools, id);
  const record = new Environments(tools.directories).read(id);
  if (!container || !record)
    throw new UserError('NOT_RUNNING', `There is no environment for ${folder} yet, and so no log.`, { hint: 'Start it: devenv up' });
  const idle = record.spec.command.length === 0;
  return {
    containerId: container.id,
    idle,
    lines: container.logs({
      follow: options.follow && !idle, // there is nothing to wait for
      signal: options.signal,
      onGap: () => tellGap(options.report),
      ...(options.tail === undefined ? {} : { tail: options.tail }),
    }),
  };
}
