export interface Inputs {
  readonly files: ReadonlySet<string>;
  /** A new file beside an input may be one. */
  readonly folders: ReadonlySet<string>;
}

/** Paths from the workspace. */
export function inputsOf(paths: readonly string[]): Inputs {
  const folders = paths.map((path) => folderOf(path)).filter((folder) => folder !== '');
  return { files: new Set(paths), folders: new Set(folders) };
}

/** Without inputs: nothing is known of them. */
export function matters(path: string, inputs: Inputs | undefined): boolean {
  if (!inputs || path === 'devenv.json' || path === 'devenv.local.json') return true;
  return inputs.files.has(path) || inputs.folders.has(folderOf(path));
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
