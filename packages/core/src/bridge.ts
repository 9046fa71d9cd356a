import type { BridgeOptions, Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import type { Config } from './config/config.ts';
import { loadConfig } from './config/load-config.ts';
import { Environments, type EnvironmentId, type EnvironmentRecord } from './container/environment.ts';
import { bridge as bridgeTo } from './editor/bridge.ts';
import { customizationsOf, type Customizations } from './editor/customizations.ts';
import { editorKey, keyOf } from './editor/editor-parts.ts';
import { openContainer, placesOf } from './open-tools.ts';

/**
 * Connects our stdin and stdout to the server of a running environment; while the hooks of a new container run it waits: a
 * window of the one before would take the first answer of the new server for its last word.
 * @throws UserError NOT_RUNNING, EDITOR_FAILED
 */
export async function bridge(options: BridgeOptions): Promise<void> {
  const { environmentId } = options;
  const record = /^[0-9a-f]{16}$/.test(environmentId) ? await settledRecord(environmentId as EnvironmentId, options) : undefined;
  if (!record)
    throw new UserError('NOT_RUNNING', `There is no environment ${environmentId} on this machine.`, {
      hint: 'devenv ps lists those that are here',
    });
  const directory = placesOf(options).editor;
  const key = options.commit === undefined ? editorKey : keyOf(options.commit, directory);
  if (key === undefined)
    throw new UserError('EDITOR_FAILED', `There is no server of this editor's version (${options.commit}) on this machine.`, {
      hint: 'Unpack the matching "reh" build and start devenv code with DEVENV_EDITOR_SERVER=FOLDER; or use devenv code --browser',
    });
  await bridgeTo(await openContainer(options, record.spec.id), {
    directory,
    key,
    customizations: customizationsFor(record, options.env),
    name: record.name,
    signal: options.signal,
  });
}

/** What is known of the environment once its hooks have run. While new layers are built, the container that is there can be joined. */
async function settledRecord(id: EnvironmentId, options: BridgeOptions): Promise<EnvironmentRecord | undefined> {
  const environments = new Environments(placesOf(options));
  const record = environments.read(id);
  if (!record || !isNew(record, options.env)) return record;
  using _lock = await environments.lock(id, options.signal, () => {});
  return environments.read(id);
}

/** Whether there are hooks that have never run in its container. */
function isNew(record: EnvironmentRecord, env: Options['env']): boolean {
  const hooks = configOf(record, env)?.hooks;
  return (['create', 'start'] as const).some((event) => hooks !== undefined && hooks[event].length > 0 && !record.hooksDone[event]);
}

function customizationsFor(record: EnvironmentRecord, env: Options['env']): Customizations | undefined {
  const config = configOf(record, env);
  return config && customizationsOf(config.customizations, record.spec.workdir);
}

/** undefined: the file cannot be read now. That is no failure, since the window is what its user mends it in. */
function configOf({ folder, configFile }: EnvironmentRecord, env: Options['env']): Config | undefined {
  try {
    return loadConfig({ cwd: folder, configFile, env });
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
