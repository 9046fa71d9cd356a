import { UserError } from '../base/errors.ts';
import type { LayerStore, StepCache } from '../store/layer-store.ts';
import { embeddedEngine, type EmbeddedEngineOptions } from './embedded/embedded-engine.ts';
import type { Engine } from './engine.ts';

/**
 * The engine that works for this user on this machine. Asks only what costs nothing: a tool that is missing shows when it
 * is needed, and `probe` tells all. The store is opened after it is clear that an engine works: who may not use one mostly
 * may not write either. @throws UserError ENGINE_UNAVAILABLE, saying of each engine why not
 */
export function findEngine(options: Omit<EmbeddedEngineOptions, 'store' | 'cache'>, openStore: () => LayerStore & StepCache): Engine {
  requireEngine();
  const store = openStore();
  return embeddedEngine({ ...options, store, cache: store });
}

/** @throws UserError ENGINE_UNAVAILABLE */
export function requireEngine(): void {
  const refusals = [['embedded', whyNotEmbedded()] as const];
  if (refusals[0]![1] === undefined) return;
  const lines = refusals.map(([name, why]) => `  ${name.padEnd(9)} ${why}`);
  throw new UserError('ENGINE_UNAVAILABLE', ['No engine works here.', ...lines].join('\n'), {
    hint: 'run devenv as root (sudo); devenv doctor shows what was tried',
  });
}

function whyNotEmbedded(): string | undefined {
  if (process.platform !== 'linux') return `needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'needs root, and you are not';
  return undefined;
}
