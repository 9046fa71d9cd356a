import type { Container, ExecOptions } from '../engine/engine.ts';

/** Signals that a user or a supervisor sends to end or to steer a command. */
const forwarded: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

/** Runs a command in a container on our own descriptors, with our signals, and waits for it. */
export async function execute(
  container: Pick<Container, 'exec'>,
  command: readonly string[],
  options: Omit<ExecOptions, 'stdio'>,
): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }> {
  const child = await container.exec(command, { ...options, stdio: 'inherit' });
  const handlers = forwarded.map((signal) => {
    const handler = (): void => child.kill(signal);
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  const resize = (): void => child.resize(process.stdout.columns, process.stdout.rows);
  if (options.terminal) process.stdout.on('resize', resize);
  try {
    return await child.exit;
  } finally {
    if (options.terminal) process.stdout.off('resize', resize);
    for (const [signal, handler] of handlers) process.off(signal, handler);
  }
}
