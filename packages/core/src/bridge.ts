import type { BridgeOptions, Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { loadConfig } from './config/load-config.ts';
import { Environments, type EnvironmentId, type EnvironmentRecord } from './container/environment.ts';
import { bridge as bridgeTo } from './editor/bridge.ts';
import { customizationsOf, type Customizations } from './editor/customizations.ts';
import { editorKey, keyOf } from './editor/editor-parts.ts';
import { openContainer, placesOf } from './open-tools.ts';

/**
 * Connects our stdin and stdout to the server of a running environment; while that is being made, with its hooks, it waits: a
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

/** What is known of the environment when nobody is at work on it. */
async function settledRecord(id: EnvironmentId, options: BridgeOptions): Promise<EnvironmentRecord | undefined> {
  const environments = new Environments(placesOf(options));
  if (!environments.read(id)) return undefined;
  using _lock = await environments.lock(id, options.signal, () => {});
  return environments.read(id);
}

/** Of a file that cannot be read now: none, since the window is what its user mends it in. */
function customizationsFor({ folder, configFile, spec }: EnvironmentRecord, env: Options['env']): Customizations {
  try {
    const { customizations } = loadConfig({ cwd: folder, configFile, env });
    return customizationsOf(customizations, spec.workdir);
  } catch (error) {
    if (error instanceof UserError) return customizationsOf({}, spec.workdir);
    throw error;
  }
}
