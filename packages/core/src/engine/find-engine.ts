import type { LayerStore, StepCache } from '../store/layer-store.ts';
import { embeddedEngine, type EmbeddedEngineOptions } from './embedded/embedded-engine.ts';
import type { Engine } from './engine.ts';
import { requireEngine } from './require-engine.ts';

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
