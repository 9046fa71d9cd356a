import { randomBytes } from 'node:crypto';
import type { BuildOptions, CommandOptions, Exit } from './contract.ts';
import { UserError } from './base/errors.ts';
import { requireTerminal } from './base/terminal.ts';
import type { Container } from './engine/engine.ts';
import { commandOptions } from './enter.ts';
import { openImages, shareStore } from './open-tools.ts';
import { execute } from './session/execute.ts';
import { specOf, survey } from './survey.ts';
import { buildLayers } from './up.ts';

/** A new container of the environment for one command, removed afterwards, however the command ends. */
export async function runOnce(options: CommandOptions & BuildOptions): Promise<Exit> {
  if (options.terminal) requireTerminal();
  const container = await createOnce(options);
  try {
    await container.start();
    return await execute(container, options.command, { ...commandOptions(options), signal: options.signal });
  } catch (error) {
    throw await withImageHint(error, options);
  } finally {
    await container.remove();
  }
}

const isBeginningOfId = /^[0-9a-f]+$/; // no name that anybody meant

/** Beside a devenv.json the first word is a command: who means an image, as elsewhere, says so. */
async function withImageHint(error: unknown, options: CommandOptions): Promise<unknown> {
  const [word = ''] = options.command;
  if (!(error instanceof UserError) || error.code !== 'COMMAND_NOT_FOUND' || isBeginningOfId.test(word)) return error;
  const image = (await openImages(options)).images.find(word);
  if (!image) return error;
  return new UserError(error.code, error.message, {
    hint: `${word} is an image here, and there is a devenv.json: devenv run --image ${options.command.join(' ')}`,
    cause: error.cause,
  });
}

/** The store is shared until the container is there: from then on the container itself says what it stands on. */
async function createOnce(options: BuildOptions): Promise<Container> {
  using _store = await shareStore(options);
  const found = await survey(options);
  const { engine } = found.tools;
  await engine.reap(options.report);
  specOf(found, undefined, false); // a bind source that is missing shows before time is spent on building
  const { layer } = await buildLayers(found, options);
  const spec = specOf(found, layer, false);
  return await engine.create({
    ...spec,
    id: `${spec.id}-run-${randomBytes(3).toString('hex')}`,
    labels: { ...spec.labels, 'devenv.role': 'run' },
    ephemeral: true,
    ports: [], // the environment itself may be running and own them
  });
}
