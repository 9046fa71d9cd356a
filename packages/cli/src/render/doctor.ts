import type { Diagnosis, Probe } from '@devenv/core';
import { painter, type Paint } from './color.ts';
import { printable, printableLine } from './printable.ts';
import { table } from './table.ts';

/** What was tried, what it found, and what to do about each thing that is missing. */
export function describeDiagnosis({ engine, works, probes }: Diagnosis, color: boolean): string {
  const paint = painter(color);
  const rows = table(probes.map((probe) => [`  ${verdict(probe, paint)}`, printableLine(probe.name), printableLine(probe.answer)]));
  const lines = rows.flatMap((row, index) => {
    const probe = probes[index];
    return probe?.fix ? [row, `${' '.repeat(11)}${paint('cyan', 'fix:')} ${printable(probe.fix)}`] : [row];
  });
  return [`${printableLine(engine)} engine: ${works ? paint('green', 'works') : paint('red', 'does not work here')}`, ...lines].join('\n');
}

function verdict({ ok, required }: Probe, paint: Paint): string {
  if (ok) return paint('green', 'ok');
  return required ? paint('red', 'missing') : paint('yellow', 'without');
}
