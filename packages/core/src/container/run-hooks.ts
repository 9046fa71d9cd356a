import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhileThereIsSpace } from '../base/disk-trouble.ts';
import { UserError } from '../base/errors.ts';
import type { Report } from '../base/events.ts';
import type { Container } from '../engine/engine.ts';

/** A command of the file that runs in the environment as its user, in the workspace. */
export interface HookCommand {
  /** Set when it is one of several that run in parallel. */
  readonly name: string | undefined;
  readonly command: readonly string[];
}

export type HookEvent = 'create' | 'start' | 'attach';

/** What has run in a container, by event: the identity of the text, and of the start for `start`. A hook that failed is not in it. */
export type HooksDone = Readonly<Partial<Record<HookEvent, string>>>;

export interface HookContext {
  readonly container: Pick<Container, 'exec'>;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Folder for the logs. */
  readonly logs: string;
}

/**
 * Runs the hooks of one event: named ones in parallel, a single one alone.
 * @throws UserError HOOK_FAILED naming the first that failed and the log of its output, when the others have ended
 */
export async function runHooks(event: HookEvent, hooks: readonly HookCommand[], context: HookContext): Promise<void> {
  const results = await Promise.allSettled(hooks.map((hook) => runHook(event, hook, context)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function runHook(event: HookEvent, hook: HookCommand, context: HookContext): Promise<void> {
  const { report, signal } = context;
  const title = hook.name === undefined ? `hook ${event}` : `hook ${event} ${hook.name}`;
  const log = join(context.logs, `${title.replaceAll(/[^a-zA-Z0-9-]+/g, '-')}.log`);
  const task = { type: 'task', id: title, kind: 'hook', title } as const;
  report({ ...task, state: 'started' });
  const started = performance.now();
  mkdirSync(context.logs, { recursive: true, mode: 0o700 });
  const descriptor = openSync(log, 'w', 0o600);
  const hear = (chunk: Buffer): void => {
    writeWhileThereIsSpace(descriptor, chunk);
    report({ type: 'output', id: title, text: chunk.toString() });
  };
  try {
    let ending: Promise<void> | undefined;
    const child = await context.container.exec(hook.command, { stdio: 'pipe' });
    const kill = (): void => {
      ending = child.end();
    };
    signal.addEventListener('abort', kill);
    child.stdin?.end();
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    const { exitCode } = await child.exit.finally(() => signal.removeEventListener('abort', kill));
    await ending;
    if (signal.aborted) throw new UserError('CANCELLED', `The ${title} was stopped.`);
    if (exitCode !== 0) {
      throw new UserError('HOOK_FAILED', `The ${title} ended with exit code ${exitCode}.`, {
        hint: 'The environment runs; mend the hook and run devenv up again: the hook runs again then.',
        log,
      });
    }
    report({ ...task, state: 'done', seconds: (performance.now() - started) / 1000 });
  } catch (error) {
    report({ ...task, state: 'failed', seconds: (performance.now() - started) / 1000, log });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}
