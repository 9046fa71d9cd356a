import { join } from 'node:path';

/** Where devenv keeps things; all absolute. */
export interface Directories {
  /** The user's own settings and registry configuration. */
  readonly config: string;
  /** Downloads and remembered hashes: may be deleted at any time. */
  readonly cache: string;
  /** Editors' servers and clients, shown read-only in every environment. DEVENV_EDITOR_DIR moves it. */
  readonly editor: string;
  /** Layers, containers, volumes. */
  readonly data: string;
  /** Environments and logs. */
  readonly state: string;
  /** Locks and what ends with the machine's run. */
  readonly runtime: string;
}

/** XDG base directories for a user, the FHS for root (a daemonless tool has no other home for shared layers); DEVENV_BASE_DIR moves all of them. */
export function directories(env: Readonly<Record<string, string | undefined>>, uid: number): Directories {
  const base = env['DEVENV_BASE_DIR'];
  if (base) {
    return {
      config: join(base, 'config'),
      cache: join(base, 'cache'),
      editor: env['DEVENV_EDITOR_DIR'] || join(base, 'cache/editor'),
      data: join(base, 'data'),
      state: join(base, 'state'),
      runtime: join(base, 'runtime'),
    };
  }
  const home = env['HOME'] ?? (uid === 0 ? '/root' : '/');
  const config = join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'devenv');
  if (uid === 0) {
    const cache = '/var/cache/devenv';
    const editor = env['DEVENV_EDITOR_DIR'] || join(cache, 'editor');
    return { config, cache, editor, data: '/var/lib/devenv', state: '/var/lib/devenv/state', runtime: '/run/devenv' };
  }
  const cache = join(env['XDG_CACHE_HOME'] || join(home, '.cache'), 'devenv');
  return {
    config,
    cache,
    editor: env['DEVENV_EDITOR_DIR'] || join(cache, 'editor'),
    data: join(env['XDG_DATA_HOME'] || join(home, '.local/share'), 'devenv'),
    state: join(env['XDG_STATE_HOME'] || join(home, '.local/state'), 'devenv'),
    runtime: join(env['XDG_RUNTIME_DIR'] || join(home, '.local/state/devenv'), 'devenv'),
  };
}
