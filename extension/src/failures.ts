import { commands, Position, Selection, Uri, window, type LogOutputChannel } from 'vscode';
import { Failure } from './devenv.ts';
import { fileOf, type Place } from './place.ts';

export type WayOn = 'Show Log' | 'Open devenv.json' | 'Open Settings' | 'Diagnose' | 'Try Again';

/** What people read of a failure, and the ways on from it. */
export function describeFailure(failure: Failure): { readonly text: string; readonly ways: readonly WayOn[] } {
  const [first, ...others] = failure.problems;
  const problem = first && `${first.line === undefined ? '' : `Line ${first.line}: `}${first.message}${others.length > 0 ? ' …' : ''}`;
  const text = [sentence(failure.message), problem && sentence(problem), (failure.hint ?? first?.hint)?.replaceAll(/\s+/g, ' ')]
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

export interface FailureContext {
  readonly log: LogOutputChannel;
  readonly place: Place | undefined;
  readonly again?: () => unknown;
  readonly diagnose: () => void;
}

/** Tells of a failure, once, and goes the way that was chosen. What the user stopped is no failure. */
export async function showFailure(error: unknown, context: FailureContext): Promise<void> {
  if (!(error instanceof Failure)) throw error;
  if (error.code === 'CANCELLED') {
    context.log.info('Stopped.');
    return;
  }
  const { text, ways } = describeFailure(error);
  context.log.error(text);
  const chosen = await window.showErrorMessage(text, ...ways.filter((way) => way !== 'Try Again' || context.again));
  if (chosen === 'Show Log') context.log.show(true);
  if (chosen === 'Open Settings') await commands.executeCommand('workbench.action.openSettings', 'devenv.path');
  if (chosen === 'Diagnose') context.diagnose();
  if (chosen === 'Try Again') await context.again?.();
  if (chosen === 'Open devenv.json' && context.place) await openAt(context.place, error.problems[0] ?? error.place);
}

/** Opens the file that a problem is in, at its place. */
async function openAt(place: Place, spot: Failure['place']): Promise<void> {
  const position = new Position(Math.max(0, (spot?.line ?? 1) - 1), Math.max(0, (spot?.column ?? 1) - 1));
  await window.showTextDocument(uriOf(place, spot?.file), { selection: new Selection(position, position) });
}

/** devenv names files of the host; both of its own stand in the folder of this window. */
export function uriOf(place: Place, file: string | undefined): Uri {
  return file === undefined ? fileOf(place) : Uri.joinPath(place.uri, file.slice(file.lastIndexOf('/') + 1));
}
