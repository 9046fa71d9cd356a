import type { Explanation, Plan } from '@devenv/core';
import { painter, type Paint } from './color.ts';
import { duration } from './format.ts';
import { printableLine } from './printable.ts';
import { table } from './table.ts';

/** One line per step: place, name, what would happen, how long it took last time, and the first reason why it runs. */
export function describePlan(plan: Plan, explanations: readonly Explanation[], color: boolean): string {
  const paint = painter(color);
  const rows = [
    ['base', plan.base.title, plan.base.state, plan.base.seconds, plan.base.title] as const,
    ...plan.steps.map(
      (step) => [step.number === undefined ? '·' : String(step.number), step.name, step.state, step.seconds, step.name] as const,
    ),
  ].map(([place, title, state, seconds, name]) => {
    const why = explanations.find((explanation) => explanation.step === name && explanation.state === 'runs');
    return [
      place,
      printableLine(title),
      stateText(state, paint),
      secondsText(state, seconds),
      state === 'runs' ? printableLine(why?.reasons[0] ?? '') : '',
    ];
  });
  const running = [plan.base, ...plan.steps].filter((step) => step.state === 'runs');
  const known = running.map((step) => step.seconds).filter((seconds) => seconds !== undefined);
  const total = known.length === 0 ? '' : `, about ${duration(known.reduce((sum, seconds) => sum + seconds, 0))}`;
  const work = running.length === 0 ? 'Nothing to build.' : `${running.length} to run${total} · next: devenv up`;
  return [...table(rows), '', ...describeOutdated(plan, paint), work].join('\n');
}

/** What the lock does not cover, when there is one. */
export function describeOutdated({ outdated = [] }: Pick<Plan, 'outdated'>, paint: Paint): readonly string[] {
  if (outdated.length === 0) return [];
  return [paint('yellow', 'The lock is out of date (devenv lock):'), ...outdated.map((line) => `  ${printableLine(line)}`)];
}

export function describeWhy(explanations: readonly Explanation[], color: boolean): string {
  const paint = painter(color);
  return explanations
    .flatMap(({ step, state, reasons }) => [
      `${paint('bold', printableLine(step))} ${stateText(state, paint)}`,
      ...reasons.map((reason) => `  ${printableLine(reason)}`),
    ])
    .join('\n');
}

function stateText(state: 'cached' | 'runs' | 'config', paint: Paint): string {
  return state === 'runs' ? paint('yellow', 'runs') : state === 'cached' ? paint('green', 'cached') : 'setting';
}

function secondsText(state: 'cached' | 'runs' | 'config', seconds: number | undefined): string {
  if (seconds === undefined || state === 'config') return '';
  return state === 'runs' ? `~${duration(seconds)}` : duration(seconds);
}
