import { UserError } from '../base/errors.ts';

/** Apart from the engines, so that asking loads none. @throws UserError ENGINE_UNAVAILABLE, saying of each engine why it does not work */
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
  if (process.getuid?.() !== 0) return 'works as root, which a normal user becomes in a namespace of their own; that did not happen';
  return undefined;
}
