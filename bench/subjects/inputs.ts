import { outputOf } from '../command.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';

const counts = [10_000, 10] as const;

/** What a step that reads many files costs when none has changed: they are looked at, not read. */
export async function inputs(ours: Ours): Promise<Subject[]> {
  const [many, few] = counts.map((count) => writeProject(ours, count)) as [string, string];
  for (const folder of [many, few]) await outputOf(ours.command(folder, 'up'));
  const commands = ['up', 'build'] as const;
  return commands.map((verb) => ({
    title: `${verb}, nothing to do, by input files`,
    unit: 'ms',
    contestants: [
      { name: `${counts[0]} files`, run: () => ours.time(many, verb) },
      { name: `${counts[1]} files`, run: () => ours.time(few, verb) },
    ],
    goals: {},
    async [Symbol.asyncDispose]() {
      if (verb === commands.at(-1)) for (const folder of [many, few]) await outputOf(ours.command(folder, 'down'));
    },
  }));
}

function writeProject(ours: Ours, count: number): string {
  const files = Array.from({ length: count }, (_, index) => [`src/${index % 100}/file-${index}.txt`, `content ${index}\n`] as const);
  return ours.project(`bench-inputs-${count}`, {
    'devenv.json': { image: { debian: 'bookworm' }, steps: [{ run: 'find src -type f | wc -l > /count', inputs: ['src'] }] },
    ...Object.fromEntries(files),
  });
}
