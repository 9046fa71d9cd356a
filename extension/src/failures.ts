import { commands, Position, Selection, Uri, window, type Disposable, type LogOutputChannel } from 'vscode';
import { Failure } from './devenv.ts';
import { describeFailure } from './failure-text.ts';
import { fileOf, type Place } from './place.ts';
import type { State } from './state.ts';

export interface FailureContext {
  readonly log: LogOutputChannel;
  readonly place: Place | undefined;
  readonly again?: () => unknown;
  readonly diagnose: () => unknown;
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
  if (chosen === 'Diagnose') await context.diagnose();
  if (chosen === 'Try Again') await context.again?.();
  if (chosen === 'Open devenv.json' && context.place) await openAt(context.place, error.problems[0] ?? error.place);
}

/** What keeps devenv from looking at the environment is told when it is new, and not again until something else is. */
export function tellOfFailures(state: State, context: Omit<FailureContext, 'place' | 'again'>): Disposable {
  let told = '';
  return state.onDidChange(() => {
    const { failure, place, work } = state;
    if (work !== undefined) return;
    const text = failure ? describeFailure(failure).text : '';
    if (text === told) return;
    told = text;
    // Who has the file before them sees it there.
    if (failure && !(failure.problems.length > 0 && failure.problems.every(({ file }) => isShown(place, file))))
      void showFailure(failure, { ...context, place, again: () => state.refresh() });
  });
}

function isShown(place: Place | undefined, file: string | undefined): boolean {
  const uri = place && uriOf(place, file).toString();
  return window.visibleTextEditors.some(({ document }) => document.uri.toString() === uri);
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
