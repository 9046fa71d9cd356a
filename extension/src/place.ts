import { Uri, workspace, type Memento, type WorkspaceFolder } from 'vscode';
import type { Environment } from '@devenv/core';
import { Failure, type Devenv } from './devenv.ts';

const authorityPrefix = 'devenv+';

/** The folder that this window is about. */
export interface Place {
  /** As the window names it. */
  readonly uri: Uri;
  /** The id, when the window is in the container. */
  readonly environmentId: string | undefined;
}

/** The first folder that has a devenv.json; else the first. undefined: the window has no folder. */
export async function findPlace(): Promise<{ readonly place: Place; readonly hasFile: boolean } | undefined> {
  const folders = workspace.workspaceFolders ?? [];
  for (const folder of folders) if (await exists(fileOf(placeOf(folder)))) return { place: placeOf(folder), hasFile: true };
  return folders[0] && { place: placeOf(folders[0]), hasFile: false };
}

/** Whether this window is in a container, also while it is not joined to that. */
export function isInside(): boolean {
  return (workspace.workspaceFolders ?? []).some((folder) => placeOf(folder).environmentId !== undefined);
}

function placeOf({ uri }: WorkspaceFolder): Place {
  const authority = decodeURIComponent(uri.authority);
  const inside = uri.scheme === 'vscode-remote' && authority.startsWith(authorityPrefix);
  return { uri, environmentId: inside ? authority.slice(authorityPrefix.length) : undefined };
}

export function fileOf({ uri }: Place): Uri {
  return Uri.joinPath(uri, 'devenv.json');
}

/** Where an environment's workspace is. */
export function uriInside(environmentId: string, path: string): Uri {
  return Uri.from({ scheme: 'vscode-remote', authority: `${authorityPrefix}${environmentId}`, path });
}

/** The folder on the host; of an environment that was removed the one that it had. @throws Failure NOT_FOUND where that is not known */
export async function hostFolder({ uri, environmentId }: Place, devenv: Devenv, memory: Memento): Promise<string> {
  if (environmentId === undefined) return uri.path;
  const { environments } = await devenv.call<{ environments: readonly Environment[] }>(['ps']);
  const key = `folderOf:${environmentId}`;
  const folder = environments.find((environment) => environment.environmentId === environmentId)?.folder ?? memory.get<string>(key);
  if (folder !== undefined) {
    await memory.update(key, folder);
    return folder;
  }
  throw new Failure('NOT_FOUND', 'The environment of this window is not on this machine any more.', {
    hint: 'Open its folder, and reopen it in its container.',
  });
}

/** A window that has lost its connection answers when it has that again, which may be never: until then the file is taken to be there. */
async function exists(uri: Uri): Promise<boolean> {
  const stat = Promise.resolve(workspace.fs.stat(uri)).then(
    () => true,
    () => false,
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(true), patience)));
  return await Promise.race([stat, late]).finally(() => clearTimeout(timer));
}

const patience = 3000; // milliseconds
