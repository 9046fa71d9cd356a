import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { outputOf, timed, type Command } from '../command.ts';
import { makeCrowd } from '../crowd.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';

const environments = 1000;
const layers = [2, 128] as const;
/** Enough for what differs by a fifth to show. */
const goal = 1.2;

/** Whether commands on one environment cost more where much else is kept, and with many layers. */
export async function growth(ours: Ours): Promise<Subject[]> {
  const [few, many] = layers.map((count) => writeProject(ours, count)) as [string, string];
  for (const folder of [few, many]) await outputOf(ours.command(folder, 'up'));
  const crowded = join(ours.work, 'crowded');
  const folder = ours.project('bench-crowded', { 'devenv.json': { image: { debian: 'bookworm' }, steps: [{ run: 'echo own > /own' }] } });
  const alone = join(ours.work, 'alone');
  const inBase = (base: string, ...args: readonly string[]): Command => {
    const command = ours.command(folder, ...args);
    return { ...command, env: { ...command.env, DEVENV_BASE_DIR: base } };
  };
  for (const base of [alone, crowded]) {
    execFileSync('mkdir', [base]);
    execFileSync('cp', ['-al', join(ours.base, 'data'), base]);
    execFileSync('rm', ['-rf', join(base, 'data/containers')]);
    await outputOf(inBase(base, 'up'));
    await outputOf(inBase(base, 'stop'));
    if (base === crowded) makeCrowd(base, environments);
    await outputOf(inBase(base, 'up'));
  }
  const commands = [['up'], ['exec', 'true'], ['status']] as const;
  const kept = { unit: 'ms', async [Symbol.asyncDispose]() {} } as const;
  const ends = {
    async [Symbol.asyncDispose]() {
      for (const base of [alone, crowded]) await outputOf(inBase(base, 'down'));
    },
  };
  return [
    ...commands.map((args, index): Subject => ({
      ...kept,
      ...(index === commands.length - 1 ? ends : {}),
      title: `${args.join(' ')}, by environments that are kept`,
      contestants: [
        { name: `among ${environments}`, run: () => timed(inBase(crowded, ...args)) },
        { name: 'alone', run: () => timed(inBase(alone, ...args)) },
      ],
      goals: { alone: goal },
    })),
    ...commands.map((args): Subject => ({
      ...kept,
      title: `${args.join(' ')}, by layers`,
      contestants: [
        { name: `${layers[1]} layers`, run: () => ours.time(many, ...args) },
        { name: `${layers[0]} layers`, run: () => ours.time(few, ...args) },
      ],
      goals: { [`${layers[0]} layers`]: goal },
    })),
  ];
}

/** The base is a layer, too. */
function writeProject(ours: Ours, count: number): string {
  const steps = Array.from({ length: count - 1 }, (_, index) => ({ copy: 'devenv.json', to: `/layers/${index}` }));
  return ours.project(`bench-layers-${count}`, { 'devenv.json': { image: { debian: 'bookworm' }, steps } });
}
