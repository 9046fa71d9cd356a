import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../base/errors.ts';
import type { Report } from '../base/events.ts';
import type { Container } from '../engine/engine.ts';
import type { PlannedContainer } from '../plan/plan.ts';

type Healthcheck = NonNullable<PlannedContainer['healthcheck']>;

/** Runs the test once. False when it fails or takes longer than its timeout. */
export async function isHealthy(container: Pick<Container, 'exec'>, check: Healthcheck): Promise<boolean> {
  const command = testCommand(check.test);
  if (!command) return true;
  try {
    const child = await container.exec(command, { stdio: 'pipe' });
    child.stdin?.end();
    child.stdout?.resume();
    child.stderr?.resume();
    const late = setTimeout(() => child.kill('SIGKILL'), check.timeoutSeconds * 1000);
    const { exitCode } = await child.exit.finally(() => clearTimeout(late));
    return exitCode === 0;
  } catch (error) {
    if (error instanceof UserError && error.code === 'NOT_RUNNING') return false; // it ended just now
    throw error;
  }
}

/**
 * Waits until the test succeeds once. Failures in the start period do not count; after it, as many as `retries` do.
 * @throws UserError UNHEALTHY, also when the container ends meanwhile
 */
export async function waitUntilHealthy(
  container: Pick<Container, 'exec' | 'inspect'>,
  check: Healthcheck,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const task = { type: 'task', id: 'health', kind: 'container', title: 'health check' } as const;
  report({ ...task, state: 'started' });
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  for (let failures = 0; failures < check.retries;) {
    if ((await container.inspect()).state !== 'running') break;
    if (await isHealthy(container, check)) return report({ ...task, state: 'done', seconds: seconds() });
    const starting = seconds() < check.startPeriodSeconds;
    if (!starting) failures++;
    // While it starts, ask often: the first success ends the wait. 0.5 s is what a person does not notice.
    if (failures < check.retries) await delay(starting ? 500 : Math.min(check.intervalSeconds, 2) * 1000, undefined, { signal });
  }
  report({ ...task, state: 'failed', seconds: seconds() });
  const ended = (await container.inspect()).state !== 'running';
  throw new UserError(
    'UNHEALTHY',
    ended ? 'The command of the environment has ended.' : `The health check failed ${check.retries} times: ${check.test.join(' ')}`,
    {
      hint: 'devenv logs shows what the command says.',
    },
  );
}

/** image-spec, config.md: CMD-SHELL and a text, CMD and arguments, or NONE. */
function testCommand(test: readonly string[]): readonly string[] | undefined {
  const [kind, ...rest] = test;
  if (kind === 'CMD-SHELL') return ['/bin/sh', '-c', rest[0] ?? 'true'];
  return kind === 'CMD' ? rest : undefined;
}
