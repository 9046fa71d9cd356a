import type { Environment, Status } from '@devenv/core';
import { painter } from './color.ts';
import { duration } from './format.ts';
import { describeOutdated } from './plan.ts';
import { printableLine } from './printable.ts';
import { describeChange } from './ready.ts';
import { table } from './table.ts';

export function describeEnvironments(environments: readonly Environment[], color: boolean, now: Date): string {
  const paint = painter(color);
  const heading = ['NAME', 'STATE', 'FOLDER', 'SINCE'].map((name) => paint('bold', name));
  const rows = environments.map((environment) => [
    printableLine(environment.name),
    describeState(environment, color),
    printableLine(environment.folder),
    since(environment, now),
  ]);
  return table([heading, ...rows]).join('\n');
}

export function describeStatus(status: Status, color: boolean, now: Date): string {
  const paint = painter(color);
  const { environment, state } = status;
  const lines = environment
    ? [
        `${paint('bold', printableLine(environment.name))} ${describeState(environment, color)} · ${printableLine(environment.folder)} · ${since(environment, now)}`,
      ]
    : ['There is no environment here.'];
  if (status.stale)
    lines.push(paint('yellow', 'Not what devenv.json says:'), ...status.changes.map((change) => `  ${describeChange(change)}`));
  const networkLost = environment?.networkLost === true;
  if (networkLost) lines.push(paint('yellow', 'It has lost its network: the program that carried it has ended. devenv up brings it back.'));
  lines.push(...describeOutdated(status, paint));
  lines.push(`next: ${status.stale || networkLost || state !== 'running' ? 'devenv up' : 'devenv shell'}`);
  return lines.join('\n');
}

function describeState({ state, exitCode, networkLost }: Environment, color: boolean): string {
  if (networkLost) return painter(color)('yellow', 'running without its network');
  if (state === 'running') return painter(color)('green', 'running');
  return exitCode === undefined ? 'stopped' : `stopped (exit code ${exitCode})`;
}

export function describeDown({ removed }: Status, volumes: boolean): string {
  if (!removed) return volumes ? 'There is no environment to remove; no volume of it is left' : 'Nothing to remove';
  return `Removed${volumes ? ', with its volumes' : ''} · layers stay, so devenv up is quick`;
}

export function describeDownPlan({ environment, state }: Status, volumes: boolean): string {
  if (!environment) return 'There is nothing to remove.';
  return `Would ${state === 'running' ? 'stop and remove' : 'remove'} the environment ${printableLine(environment.name)}${volumes ? ' and its volumes' : ''}; layers stay.`;
}

/** `5 min ago`: since it runs; else `made 4 d ago`. */
function since({ startedAt, createdAt }: Environment, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - Date.parse(startedAt ?? createdAt)) / 1000);
  if (Number.isNaN(seconds)) return '';
  const ago = seconds < 86_400 ? `${duration(Math.round(seconds))} ago` : `${Math.floor(seconds / 86_400)} d ago`;
  return startedAt === undefined ? `made ${ago}` : ago;
}
