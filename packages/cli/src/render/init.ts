import { relative } from 'node:path';
import type { InitFile, InitResult } from '@devenv/core';
import { painter } from './color.ts';
import { printableLine } from './printable.ts';

/** The files' texts, as data for stdout. What stands beside a file that was kept is there to be added by hand. */
export function initText({ files }: InitResult): string {
  return files.map(({ text }) => text.trimEnd()).join('\n\n');
}

/** What was recognised, what became of each file, and the next command. */
export function describeInit({ recognised, files }: InitResult, cwd: string, color: boolean): string {
  const paint = painter(color);
  const name = ({ path }: InitFile): string => printableLine(relative(cwd, path) || path);
  const lines = files.map((file) => {
    if (file.state === 'written') return `${paint('green', 'Wrote')} ${name(file)}`;
    if (file.state === 'not written') return `Would write ${name(file)}`;
    return `${paint('yellow', `${name(file)} is there already`)} and was left as it is: add the job above to it.`;
  });
  const seen =
    recognised.length === 0 ? 'Recognised no language: this is a start.' : `Recognised: ${recognised.map(printableLine).join(', ')}`;
  const written = files.some(({ state }) => state === 'written');
  return ['', seen, ...lines, ...(written ? ['', 'next: devenv up'] : [])].join('\n');
}
