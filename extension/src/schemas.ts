import { Uri, workspace, type Disposable } from 'vscode';

/** What JSON's own extension asks for by `devenv://schemas/NAME`: in a container it cannot reach the files of this one. */
export function offerSchemas(extension: Uri): Disposable {
  return workspace.registerTextDocumentContentProvider('devenv', {
    provideTextDocumentContent: async ({ path }) =>
      new TextDecoder().decode(await workspace.fs.readFile(Uri.joinPath(extension, 'dist', path.slice(1)))),
  });
}
