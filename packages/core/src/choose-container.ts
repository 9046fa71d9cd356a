import { dirname } from 'node:path';
import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { environmentId, Environments } from './container/environment.ts';
import { containers, namedContainer } from './containers.ts';
import { configOrThrow } from './enter.ts';
import type { Container } from './engine/engine.ts';
import { engineName, openTools, placesOf, userId, type Tools } from './open-tools.ts';
import { findContainer } from './survey.ts';

/** The container of a name: one that run left, or an environment's (its name or id). Without a name: this folder's environment. */
export async function chooseContainer(
  options: Options,
  name: string | undefined,
): Promise<{ readonly container: Container; readonly tools: Tools }> {
  const tools = await openTools(options);
  if (name !== undefined) {
    const environment = new Environments(placesOf(options)).list().find((record) => record.environmentId === name || record.name === name);
    const isKept = (await containers({ ...options, all: true })).some((container) => container.name === name);
    const own = !isKept && environment ? await findContainer(tools, environment.environmentId) : undefined;
    return { container: own ?? (await namedContainer(tools, name)), tools };
  }
  const configFile = configOrThrow(options);
  const container = await findContainer(
    tools,
    environmentId({ folder: dirname(configFile), configFile, engine: engineName, uid: userId() }),
  );
  if (!container)
    throw new UserError('NOT_RUNNING', `There is no environment for ${dirname(configFile)} yet.`, { hint: 'Start it: devenv up' });
  return { container, tools };
}
