import type { DiffResult, Difference, Section } from '@devenv/core';
import { painter } from './color.ts';
import { bytes, plural } from './format.ts';
import { printableLine } from './printable.ts';
import { table } from './table.ts';

/** A summary in groups, the most telling first; `lines` of each group at most. */
export function describeDiff(result: DiffResult, { color, lines }: { readonly color: boolean; readonly lines: number }): string {
  const paint = painter(color);
  const told = result.sections.filter(({ differences }) => differences.length > 0);
  const skipped = result.sections.filter(({ notCompared }) => notCompared !== undefined);
  const same = result.sections.filter(({ differences, notCompared }) => differences.length === 0 && notCompared === undefined);
  const verdict = result.same
    ? paint('green', result.production ? 'It is a clone: all that production has is there, and the same.' : 'No difference that counts.')
    : paint(
        'yellow',
        `Different: ${result.sections
          .filter((section) => !section.same)
          .map(({ name }) => name)
          .join(', ')}`,
      );
  return [
    `A  ${printableLine(result.a)}`,
    `B  ${printableLine(result.b)}`,
    ...told.flatMap((section) => ['', ...describeSection(section, lines, paint)]),
    '',
    ...(same.length === 0 ? [] : [`The same: ${same.map(({ name }) => name).join(', ')}`]),
    ...[...Map.groupBy(skipped, ({ notCompared }) => notCompared)].map(
      ([reason, of]) => `Not compared: ${of.map(({ name }) => name).join(', ')}: ${reason}`,
    ),
    verdict,
  ].join('\n');
}

type Paint = ReturnType<typeof painter>;

function describeSection({ name, differences, same }: Section, lines: number, paint: Paint): string[] {
  const count = (where: Difference['where'], words: string): string[] => {
    const found = differences.filter((difference) => difference.where === where).length;
    return found === 0 ? [] : [`${found} ${words}`];
  };
  const counts = [...count('both', 'differ'), ...count('a', 'only in A'), ...count('b', 'only in B')].join(', ');
  const heading = `${paint('bold', name)}  ${counts}${same ? ' · does not count' : ''}`;
  const rows = name === 'files' ? fileRows(differences) : differences.map((difference) => rowOf(name, difference));
  const shown = table(rows.slice(0, lines)).map((line) => `  ${line}`);
  const more = rows.length > lines ? [`  … ${rows.length - lines} more: --only ${name}, or --json for all`] : [];
  return [heading, ...shown, ...more];
}

function rowOf(section: Section['name'], { name, where, a, b }: Difference): readonly string[] {
  if (section === 'size') return [name, sizes(Number(a), Number(b))];
  const value = short(a ?? b ?? '');
  if (where === 'both') return [printableLine(name), `${value} → ${short(b ?? '')}`];
  return [printableLine(name), `only in ${where.toUpperCase()}${section === 'ports' ? '' : `  ${value}`}`];
}

/** As far as rounding shows it, and by how much. */
function sizes(a: number, b: number): string {
  return `${bytes(a)} → ${bytes(b)} (${a < b ? '+' : '−'}${bytes(Math.abs(b - a))})`;
}

/** What no package brought comes first: somebody put it there. Directories that are only in one stand for all in them. */
function fileRows(differences: readonly Difference[]): readonly (readonly string[])[] {
  const rows = folded(differences.filter((difference) => difference.package === undefined));
  const packaged = Map.groupBy(
    differences.filter((difference) => difference.package !== undefined),
    (difference) => difference.package!,
  );
  const groups = [...packaged].toSorted(([, one], [, other]) => rankOfAll(one) - rankOfAll(other));
  return [
    ...rows
      .toSorted((one, other) => rank(one.difference) - rank(other.difference))
      .map(({ difference, inside }) => fileRow(difference, inside)),
    ...groups.map(([name, files]) => packageRow(name, files)),
  ];
}

function rankOfAll(files: readonly Difference[]): number {
  return Math.min(...files.map(rank));
}

/** Lower: more telling. */
function rank({ counts, name, where, a, b }: Difference): number {
  const isNoise = /^\/(?:var\/(?:lib\/(?:dpkg|apt)|cache|log)|usr\/share\/(?:doc|man|locale|info)|(?:usr\/)?lib\/apk)(?:\/|$)/.test(name);
  const isDirectory = (a ?? b ?? '').startsWith('directory');
  return (counts ? 0 : 8) + (isNoise ? 4 : 0) + (isDirectory ? 2 : 0) + (where === 'both' ? 0 : 1);
}

interface Folded {
  readonly difference: Difference;
  /** How many entries are in it. */
  inside: number;
}

function folded(differences: readonly Difference[]): readonly Folded[] {
  const rows: Folded[] = [];
  let top: Folded | undefined;
  for (const difference of differences) {
    if (top && difference.where === top.difference.where && difference.name.startsWith(`${top.difference.name}/`)) {
      top.inside++;
      continue;
    }
    const row = { difference, inside: 0 };
    rows.push(row);
    top = difference.where === 'both' ? undefined : row;
  }
  return rows;
}

function fileRow({ name, where, what = [], a, b }: Difference, inside: number): readonly string[] {
  if (where !== 'both') return [shownPath(name), `only in ${where.toUpperCase()}${inside === 0 ? '' : `, with ${inside} in it`}`];
  return [shownPath(name), `${what.join(', ')}  ${short(a ?? '')} → ${short(b ?? '')}`];
}

function packageRow(name: string, files: readonly Difference[]): readonly string[] {
  const [first] = files;
  const where =
    files.every((file) => file.where === first!.where) && first!.where !== 'both' ? `only in ${first!.where.toUpperCase()}` : 'differ';
  if (files.length === 1) return [`${shownPath(first!.name)} (${printableLine(name)})`, fileRow(first!, 0)[1]!];
  return [`package ${printableLine(name)}`, `${plural(files.length, 'file')} ${where}, such as ${shownPath(first!.name)}`];
}

/** Odd bytes of names are lone surrogates in core's strings. */
function shownPath(path: string): string {
  return short(printableLine(path.toWellFormed()), 100);
}

function short(text: string, length = 60): string {
  const line = printableLine(text);
  return line.length <= length ? line : `${line.slice(0, length / 2)}…${line.slice(-length / 2)}`;
}
