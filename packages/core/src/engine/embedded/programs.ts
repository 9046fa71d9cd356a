import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { runtimeEnvironment } from './runtime-call.ts';

/** The absolute path of a program of this machine, looked for where the system has them: never in a PATH of the user's. */
export function findProgram(name: string): string | undefined {
  return runtimeEnvironment['PATH']!.split(':')
    .map((folder) => join(folder, name))
    .find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
