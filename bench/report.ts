import type { Measurement } from './measure.ts';

export interface Circumstances {
  readonly date: string;
  readonly kernel: string;
  readonly processors: string;
  readonly memory: string;
  readonly loadAtStart: string;
  readonly rounds: number;
  readonly commit: string;
  /** What a reader has to know of this run. */
  readonly note?: string;
  readonly versions: Readonly<Record<string, string>>;
}

export interface Results {
  readonly schema: 1;
  readonly circumstances: Circumstances;
  readonly measurements: readonly Measurement[];
}

/** The results as a page; a terminal shows it as well. */
export function describeResults({ circumstances, measurements }: Results): string {
  const { versions, ...rest } = circumstances;
  const facts = { ...rest, ...versions };
  return [
    '# Results',
    '',
    'Made by `pnpm bench`: ours and the peers in turn, medians. Times of another machine or day mean little; the ratio is ours ÷ peer.',
    '',
    ...Object.entries(facts).map(([name, value]) => `- ${name}: ${value}`),
    '',
    ...table(['work', 'who', 'median', 'range', 'ratio', 'goal', ''], measurements.flatMap(rowsOf)),
    '',
    ...measurements.flatMap(failuresOf),
  ].join('\n');
}

function rowsOf({ title, unit, rows }: Measurement): string[][] {
  return rows.map(({ name, absent, median, minimum, maximum, ratio, goal }, index) => {
    const work = index === 0 ? title : '';
    if (absent !== undefined) return [work, name, '–', '', '', '', absent === 'not here' ? absent : 'see below'];
    const verdict = ratio === undefined || goal === undefined ? '' : ratio <= goal ? 'reached' : 'missed';
    const number = (value: number | undefined): string => value!.toFixed(unit === 'ms' ? 0 : 1);
    return [
      work,
      name,
      `${number(median)} ${unit}`,
      `${number(minimum)}–${number(maximum)}`,
      ratio === undefined ? '' : ratio.toFixed(2),
      goal === undefined ? '' : `≤ ${goal}`,
      verdict,
    ];
  });
}

function failuresOf({ title, rows }: Measurement): string[] {
  return rows.flatMap(({ name, absent }) => (absent === undefined || absent === 'not here' ? [] : [`- ${title}, ${name}: ${absent}`, '']));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
}
