import { UserError } from '../base/errors.ts';
import { embeddedEngine, type EmbeddedEngineOptions } from './embedded/embedded-engine.ts';
import type { Engine } from './engine.ts';

/**
 * The engine that works for this user on this machine. Asks only what costs nothing: a tool that is missing shows when it
 * is needed, and `probe` tells all. @throws UserError ENGINE_UNAVAILABLE, saying of each engine why not
 */
export function findEngine(options: EmbeddedEngineOptions): Engine {
  const refusals = [['embedded', whyNotEmbedded()] as const];
  if (refusals[0]![1] === undefined) return embeddedEngine(options);
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
