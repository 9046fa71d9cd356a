import { closeSync, constants, openSync, readSync } from 'node:fs';
import { UserError } from '../../base/errors.ts';
import { swapOwner, type IdSwap } from './id-swap.ts';
import { find, type Place } from './tree.ts';
import type { User } from './user.ts';

/** Where programs are looked for when the environment has no PATH; Docker's default. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface CommandPlace {
  readonly root: string;
  readonly path: string | undefined;
  readonly workdir: string;
  readonly user: User;
  readonly ids?: IdSwap | undefined;
}

/**
 * Checks that the command can be run, as a shell would find it, before a runtime is asked: runtimes end with one and the
 * same code for all their failures. Links are followed inside the root only.
 * @throws UserError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
 */
export function checkCommand(command: string, where: CommandPlace): void {
  if (command.includes('/')) return void checkFile(command, command, where, true);
  for (const folder of (where.path ?? defaultPath).split(':')) if (checkFile(command, `${folder || '.'}/${command}`, where, false)) return;
  throw notFound(command);
}

function checkFile(command: string, path: string, where: CommandPlace, isOnly: boolean): boolean {
  using place = find(where.root, path.startsWith('/') ? path : `${where.workdir}/${path}`);
  if (!place) {
    if (isOnly) throw notFound(command);
    return false;
  }
  // A shell that finds a file it may not run in one folder of PATH goes on to the next.
  const refuse = (why: string): false => {
    if (isOnly) throw new UserError('COMMAND_NOT_EXECUTABLE', `${command} ${why}`);
    return false;
  };
  if (place.stats.isDirectory()) return refuse('is a directory');
  if (!place.stats.isFile()) return refuse('is not a program');
  if (!mayExecute(place, where)) return refuse('is not executable: permission denied');
  checkInterpreter(command, place, where.root);
  return true;
}

function notFound(command: string): UserError {
  return new UserError('COMMAND_NOT_FOUND', `${command || '""'}: command not found in the environment`);
}

function mayExecute({ stats }: Place, { user, ids }: CommandPlace): boolean {
  const owner = swapOwner(ids, stats);
  if (user.uid === 0) return (stats.mode & 0o111) !== 0;
  if (owner.uid === user.uid) return (stats.mode & 0o100) !== 0;
  if (owner.gid === user.gid || user.additionalGids.includes(owner.gid)) return (stats.mode & 0o010) !== 0;
  return (stats.mode & 0o001) !== 0;
}

/** A script must say what runs it, and that must exist: execve(2) answers both with an error that names the script only. */
function checkInterpreter(command: string, place: Place, root: string): void {
  const start = firstBytes(place, 256);
  if (start.includes(0)) return; // a binary: the kernel's business
  const text = start.toString('latin1');
  if (!text.startsWith('#!')) {
    throw new UserError('COMMAND_NOT_EXECUTABLE', `${command} is neither a program nor a script with an interpreter line`, {
      hint: 'let its first line be #!/bin/sh, or run it as: sh FILE',
    });
  }
  const interpreter = /^#![ \t]*(\S+)/.exec(text)?.[1];
  if (!interpreter?.startsWith('/')) return;
  using found = find(root, interpreter);
  if (!found)
    throw new UserError(
      'COMMAND_NOT_EXECUTABLE',
      `${command} wants the interpreter ${interpreter}, which does not exist in the environment`,
    );
}

function firstBytes(place: Place, count: number): Buffer {
  const descriptor = openSync(place.magic, constants.O_RDONLY);
  try {
    const buffer = Buffer.alloc(count);
    return buffer.subarray(0, readSync(descriptor, buffer));
  } finally {
    closeSync(descriptor);
  }
}
