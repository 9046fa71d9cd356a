import type { State } from './state.ts';

export type Shown = Pick<State, 'hasFile' | 'inside' | 'status' | 'failure' | 'work'>;

export interface StatusText {
  readonly text: string;
  readonly tooltip: string;
  readonly warning?: boolean;
}

/** The state in two words, and in a sentence. undefined: there is nothing to show. */
export function statusText({ hasFile, inside, status, failure, work }: Shown): StatusText | undefined {
  if (work !== undefined) return { text: `$(sync~spin) devenv: ${short(work)}`, tooltip: work };
  if (!hasFile && !inside) return undefined;
  if (failure) return { text: '$(error) devenv', tooltip: failure.message, warning: true };
  if (!status) return { text: '$(loading~spin) devenv', tooltip: 'Looking at the environment' };
  if (status.stale) {
    const changes = status.changes.map(({ text, effect }) => `${text} · ${effect}`).join('\n');
    return {
      text: `$(warning) devenv: ${status.changes[0]?.effect ?? 'changed'}`,
      tooltip: `Not what devenv.json says:\n${changes}`,
      warning: true,
    };
  }
  if (status.state === 'absent') return { text: '$(vm-outline) devenv: not built', tooltip: 'This folder has no environment yet' };
  const name = status.environment?.name ?? '';
  if (status.state === 'stopped') return { text: '$(vm-outline) devenv: stopped', tooltip: `The environment ${name} is stopped` };
  return {
    text: `$(${inside ? 'vm-active' : 'vm-running'}) devenv: running`,
    tooltip: `The environment ${name} runs and is what devenv.json says`,
  };
}

function short(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
