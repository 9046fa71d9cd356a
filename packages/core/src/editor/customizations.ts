import { isObject } from '../base/shape.ts';

/** What `customizations.vscode` of devenv.json asks of the editor's server in the container. */
export interface Customizations {
  /** Names in the configured gallery, and absolute paths inside of `.vsix` files. */
  readonly extensions: readonly string[];
  /** Of that machine: above the user's own, below the workspace's. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What is not of the form is left out. `workspace` is the folder inside that relative paths start from. */
export function customizationsOf(customizations: Readonly<Record<string, unknown>>, workspace: string): Customizations {
  const vscode = isObject(customizations['vscode']) ? customizations['vscode'] : {};
  const written = Array.isArray(vscode['extensions']) ? vscode['extensions'].filter((each) => typeof each === 'string') : [];
  const keptOut = new Set(written.filter((name) => name.startsWith('-')).map((name) => name.slice(1).toLowerCase()));
  const names = written.filter((name) => name !== '' && !name.startsWith('-') && !keptOut.has(name.toLowerCase()));
  return {
    extensions: [...new Set(names.map((name) => (name.endsWith('.vsix') ? placeInside(name, workspace) : name)))],
    settings: isObject(vscode['settings']) ? vscode['settings'] : {},
  };
}

function placeInside(path: string, workspace: string): string {
  return path.startsWith('/') ? path : `${workspace}/${path.replace(/^\.\//, '')}`;
}
