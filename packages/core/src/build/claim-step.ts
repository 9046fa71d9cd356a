import { closeSync, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { isMissing } from '../base/files.ts';
import type { Build } from '../engine/engine.ts';
import type { StepKey } from '../oci/step-key.ts';
import type { BuildTools } from './build-tools.ts';

type Task = Omit<Extract<Parameters<BuildTools['report']>[0], { type: 'task' }>, 'state'>;

/** Waits until nobody else makes the key, and tells meanwhile whom it waits for and what that one's step writes. */
export async function claimStep(key: StepKey, task: Task, session: Build, tools: BuildTools): Promise<AsyncDisposable> {
  let followed: Disposable | undefined;
  try {
    return await session.claim(key, (holders) => {
      tools.report({ ...task, state: 'waiting', detail: `${nameOf(holders)} is making it` });
      followed = followLog(logOf(tools, key), (text) => tools.report({ type: 'output', id: task.id, text }));
    });
  } finally {
    followed?.[Symbol.dispose]();
  }
}

/** Where a step's whole output is while it runs, and after it has failed. */
export function logOf(tools: Pick<BuildTools, 'logs'>, key: StepKey): string {
  return join(tools.logs, `${key}.log`);
}

/** A command is known by where it was started; of somebody else's we may see no more than the number. */
function nameOf([pid]: readonly number[]): string {
  if (pid === undefined) return 'another devenv';
  try {
    return `another devenv (process ${pid} in ${readlinkSync(`/proc/${pid}/cwd`)})`;
  } catch {
    return `another devenv (process ${pid})`;
  }
}

/** Tells what is written to a file, until disposed. */
function followLog(path: string, onText: (text: string) => void): Disposable {
  const decoder = new StringDecoder(); // a chunk may end within a character
  const buffer = Buffer.alloc(64 * 1024);
  let position = 0;
  const timer = setInterval(() => {
    let descriptor: number;
    try {
      descriptor = openSync(path, 'r');
    } catch (error) {
      if (isMissing(error)) return; // not begun, or done
      throw error;
    }
    try {
      if (fstatSync(descriptor).size < position) position = 0; // begun anew
      for (let length; (length = readSync(descriptor, buffer, 0, buffer.length, position)) > 0; position += length)
        onText(decoder.write(buffer.subarray(0, length)));
    } finally {
      closeSync(descriptor);
    }
  }, 200);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
