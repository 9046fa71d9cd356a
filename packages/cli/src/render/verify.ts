import type { VerifiedFile, VerifiedLayer, VerifyResult } from '@devenv/core';
import { painter } from './color.ts';
import { duration, plural } from './format.ts';
import { printableLine } from './printable.ts';
import { table } from './table.ts';

/** One line for each layer that is the same; of one that is not, what differs, why, and what to do. */
export function describeVerified({ same, against, layers, seconds }: VerifyResult, color: boolean): string {
  const paint = painter(color);
  const first = layers.findIndex((layer) => !layer.same);
  const lines = layers.flatMap((layer, index) => {
    const digest = layer.diffId.slice(7, 19);
    if (layer.same) return [`${paint('green', 'same')}       ${digest}  ${printableLine(layer.step)}`];
    const below = index > first ? ' · stands on a layer that differs' : '';
    return [
      `${paint('yellow', 'different')}  ${digest}  ${printableLine(layer.step)} (expected ${layer.expected.slice(7, 19)})${below}`,
      ...(layer.files.length === 0 ? [`  ${notHere}`] : filesOf(layer)),
      ...layer.causes.map(({ cause, advice }) => `  ${paint('bold', cause)}: ${advice}`),
    ];
  });
  const what = { lock: 'what devenv-lock.json says', store: 'the layers of this machine', 'second build': 'one more build' }[against];
  const verdict = same
    ? paint('green', `Reproducible: ${plural(layers.length, 'layer')} built anew, each the same as ${what}, in ${duration(seconds)}`)
    : paint('yellow', `Not reproducible: compared with ${what}`);
  return [...lines, verdict].join('\n');
}

const notHere = 'The expected layer is not on this machine, so that no file can be named: run devenv verify where it was locked.';

function filesOf({ files, more }: VerifiedLayer): string[] {
  const rows = table(files.map((file) => [printableLine(file.path.toWellFormed()), wayOf(file), file.cause]));
  return [...rows.map((row) => `  ${row}`), ...(more === 0 ? [] : [`  … ${more} more`])];
}

function wayOf({ where, what }: VerifiedFile): string {
  if (where === 'expected') return what.includes('deletion') ? 'no longer deleted' : 'missing now';
  if (where === 'found') return what.includes('deletion') ? 'deleted now' : 'new';
  return what.join(', ');
}
