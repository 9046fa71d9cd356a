import type { Failure } from './devenv.ts';

export type WayOn = 'Show Log' | 'Open devenv.json' | 'Open Settings' | 'Diagnose' | 'Try Again';

/** What people read of a failure, and the ways on from it. */
export function describeFailure(failure: Failure): { readonly text: string; readonly ways: readonly WayOn[] } {
  const [first, ...others] = failure.problems;
  const problem = first && `${first.line === undefined ? '' : `Line ${first.line}: `}${first.message}${others.length > 0 ? ' …' : ''}`;
  const text = [sentence(failure.message), problem && sentence(problem), hintText(failure.hint ?? first?.hint)]
    .filter((part) => part !== undefined)
    .join(' ');
  return { text, ways: waysOn(failure) };
}

function waysOn({ code, problems, place }: Failure): readonly WayOn[] {
  if (code === 'CLI_NOT_FOUND' || code === 'NO_ANSWER') return ['Open Settings', 'Try Again'];
  if (code === 'ENGINE_UNAVAILABLE' || code === 'TOOL_MISSING' || code === 'RUNTIME_FAILED') return ['Diagnose', 'Show Log', 'Try Again'];
  if (problems.length > 0) return ['Open devenv.json'];
  if (place) return ['Show Log', 'Open devenv.json', 'Try Again'];
  return ['Show Log', 'Try Again'];
}

function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** A hint may be a command, which is written as it is. */
function hintText(hint: string | undefined): string | undefined {
  const text = hint?.replaceAll(/\s+/g, ' ');
  if (text?.startsWith('did you mean')) return `D${text.slice(1)}`;
  return text && `Hint: ${text}`;
}
