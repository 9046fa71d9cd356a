import type { Container, ExecOptions, Process } from '../engine/engine.ts';

export interface ExecuteOptions extends Omit<ExecOptions, 'stdio'> {
  readonly signal: AbortSignal;
}

/** Signals that a user or a supervisor sends to end or to steer a command. */
const forwarded: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

/** Runs a command in a container on our own descriptors, with our signals, and waits for it. @throws the reason of an abort before it runs */
export async function execute(
  container: Pick<Container, 'exec'>,
  command: readonly string[],
  { signal: cancelled, ...options }: ExecuteOptions,
): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }> {
  cancelled.throwIfAborted();
  let child: Process | undefined;
  const early: NodeJS.Signals[] = [];
  using _forwarding = listen(
    forwarded.map((name) => [name, () => (child ? child.kill(name) : early.push(name))] as const),
    process,
  );
  child = await container.exec(command, { ...options, stdio: 'inherit' });
  for (const name of early) child.kill(name);
  using _following = options.terminal ? followSize(child) : followStops(child);
  return await child.exit;
}

function followSize(child: Process): Disposable {
  return listen([['resize', () => child.resize(process.stdout.columns, process.stdout.rows)]], process.stdout);
}

/** Without a terminal inside, Ctrl-Z is ours: the command stops and goes on with us. */
function followStops(child: Process): Disposable {
  const stop = (): void => {
    child.kill('SIGSTOP');
    process.off('SIGTSTP', stop); // now it stops us, as whoever waits for us expects
    process.kill(process.pid, 'SIGTSTP');
  };
  const goOn = (): void => {
    process.off('SIGTSTP', stop).on('SIGTSTP', stop);
    child.kill('SIGCONT');
  };
  return listen(
    [
      ['SIGTSTP', stop],
      ['SIGCONT', goOn],
    ],
    process,
  );
}

function listen(handlers: readonly (readonly [name: string, handler: () => void])[], emitter: NodeJS.EventEmitter): Disposable {
  for (const [name, handler] of handlers) emitter.on(name, handler);
  return {
    [Symbol.dispose]() {
      for (const [name, handler] of handlers) emitter.off(name, handler);
    },
  };
}
