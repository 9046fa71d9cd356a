import { CodeAction, CodeActionKind, languages, WorkspaceEdit, type Disposable } from 'vscode';
import { proposedText } from './problem-text.ts';
import { source } from './problems.ts';

const files = [{ pattern: '**/devenv.json' }, { pattern: '**/devenv.local.json' }];

/** Writes what "did you mean" proposes. */
export function offerFixes(): Disposable {
  return languages.registerCodeActionsProvider(
    files,
    {
      provideCodeActions: (document, _range, { diagnostics }) =>
        diagnostics.flatMap((diagnostic) => {
          if (diagnostic.source !== source) return [];
          const text = proposedText(diagnostic.message, document.getText(diagnostic.range));
          if (text === undefined) return [];
          const action = new CodeAction(`Change to ${text}`, CodeActionKind.QuickFix);
          action.edit = new WorkspaceEdit();
          action.edit.replace(document.uri, diagnostic.range, text);
          action.diagnostics = [diagnostic];
          action.isPreferred = true;
          return [action];
        }),
    },
    { providedCodeActionKinds: [CodeActionKind.QuickFix] },
  );
}
