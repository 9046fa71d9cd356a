import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { readText } from '../base/files.ts';
import { run, start } from '../base/processes.ts';
import { keyOf } from './editor-parts.ts';

/** The companion's name where editors are told what may use proposed APIs. */
const companion = 'devenv.devenv-resolver';

export type Desktop =
  | { readonly able: true; readonly program: string; open(authority: string, folder: string): void }
  /** Why not, and what to do, for a person. */
  | { readonly able: false; readonly program: string; readonly reasons: readonly string[] };

export interface DesktopOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directories.editor. */
  readonly directory: string;
}

/** An editor of the desktop in the PATH, and whether it can join environments. undefined: there is none, or no desktop. */
export async function findDesktop({ env, directory }: DesktopOptions): Promise<Desktop | undefined> {
  if (!env['DISPLAY'] && !env['WAYLAND_DISPLAY']) return undefined;
  const path = (env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const find = (name: string): string | undefined => path.map((folder) => join(folder, name)).find(isProgram);
  const program = find('codium') ?? find('code-oss');
  if (program === undefined) return find('code') ? microsofts : undefined;
  const [version = '', commit = ''] = (await run(program, ['--version'], { env })).stdout.split('\n');
  const installed = (await run(program, ['--list-extensions'], { env })).stdout.toLowerCase().split('\n');
  const argvFile = join(env['HOME'] ?? homedir(), '.vscode-oss/argv.json');
  const missing = ['devenv.devenv', companion].filter((id) => !installed.includes(id));
  const reasons = [
    ...missing.map(
      (id) => `it does not have the extension ${id}: ${program} --install-extension ${id.slice('devenv.'.length)}-VERSION.vsix`,
    ),
    ...(allows(argvFile) ? [] : [`it does not allow the companion its API; put into ${argvFile}: "enable-proposed-api": ["${companion}"]`]),
    ...(keyOf(commit, directory) === undefined
      ? [
          `there is no server of its version, ${version} (${commit}): unpack the matching "reh" build and name its folder in DEVENV_EDITOR_SERVER`,
        ]
      : []),
  ];
  if (reasons.length > 0) return { able: false, program, reasons };
  return {
    able: true,
    program,
    open(authority, folder) {
      const inside = folder.split('/').map(encodeURIComponent).join('/');
      start(program, ['--folder-uri', `vscode-remote://${encodeURIComponent(authority)}${inside}`], {
        stdio: 'ignore',
        env,
        detached: true,
      })
        .on('error', () => {}) // it has answered before, and is gone since
        .unref();
    },
  };
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

const microsofts: Desktop = {
  able: false,
  program: 'code',
  reasons: ['of Microsoft’s VS Code it is not known that it accepts a server that is not its own; VSCodium and Code - OSS do'],
};

/** It is JSON with comments; whoever has the name in one has their reasons. */
function allows(argvFile: string): boolean {
  const text = (readText(argvFile) ?? '').replace(/^\s*\/\/.*$/gm, '');
  return new RegExp(`"enable-proposed-api"\\s*:\\s*\\[[^\\]]*"${companion.replace('.', '\\.')}"`, 'i').test(text);
}
