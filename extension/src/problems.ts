import { Diagnostic, DiagnosticSeverity, languages, Range, workspace, type Disposable, type TextDocument } from 'vscode';
import type { Problem } from '@devenv/core';
import { uriOf } from './failures.ts';
import { spanAt } from './problem-text.ts';
import type { State } from './state.ts';

export const source = 'devenv';

/** What the command line finds wrong with the files, where it is. */
export function showProblems(state: State): Disposable[] {
  const collection = languages.createDiagnosticCollection(source);
  const show = async (): Promise<void> => {
    if (state.work !== undefined) return;
    const problems = state.failure?.problems ?? [];
    const place = state.place;
    const files = new Set(problems.map(({ file }) => file));
    collection.clear();
    if (!place) return;
    for (const file of files) {
      const document = await workspace.openTextDocument(uriOf(place, file));
      collection.set(
        document.uri,
        problems.filter((problem) => problem.file === file).map((problem) => diagnosticOf(problem, document)),
      );
    }
  };
  return [collection, state.onDidChange(() => void show())];
}

function diagnosticOf({ line = 1, column = 1, message, hint, code }: Problem, document: TextDocument): Diagnostic {
  const row = Math.min(line, document.lineCount) - 1;
  const { start, end } = spanAt(document.lineAt(row).text, column - 1);
  const diagnostic = new Diagnostic(
    new Range(row, start, row, end),
    hint ? `${message}\nHint: ${hint}` : message,
    DiagnosticSeverity.Error,
  );
  diagnostic.source = source;
  diagnostic.code = code;
  return diagnostic;
}
