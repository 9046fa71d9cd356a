import { readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readText } from '../../base/files.ts';
import { identify, isAlive, signalProcess, type LivingProcess } from './living-process.ts';

const ours = /^(conmon|crun|runc|pasta|passt)/;

/**
 * Ends the tools that work on a directory or file (one of their arguments is it or lies in it) and that no record names, because the command
 * that started them was killed in between. Idempotent: afterwards there is none.
 */
export async function endStrays(directory: string): Promise<void> {
  // Again, until there is none: one that goes on as a child of its own may have begun it just after we looked.
  for (let strays = straysOf(directory); strays.length > 0; strays = straysOf(directory)) {
    for (const stray of strays) signalProcess(stray, 'SIGKILL');
    for (const stray of strays) while (isAlive(stray)) await delay(2);
  }
}

function straysOf(directory: string): LivingProcess[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? strayOf(Number(name), directory) : []));
}

function strayOf(pid: number, directory: string): LivingProcess[] {
  try {
    const program = readlinkSync(`/proc/${pid}/exe`);
    const args = (readText(`/proc/${pid}/cmdline`) ?? '').split('\0');
    // crun and runc run a copy of themselves that has no name (CVE-2019-5736): a mount without a place, or a file in memory.
    const isNameless = program === '/' || program.endsWith(' (deleted)');
    if (!ours.test(basename(isNameless ? args[0]! : program))) return [];
    return args.some((argument) => argument === directory || argument.startsWith(`${directory}/`)) ? [identify(pid)] : [];
  } catch {
    return []; // it ended meanwhile, or is a thread of the kernel
  }
}
