import { setTimeout as delay } from 'node:timers/promises';
import type { Exit } from './contract.ts';
import type { Container } from './engine/engine.ts';

const lineFeed = Uint8Array.of(10);

/** Tells what a container's command writes until it has ended; an abort stops the container. */
export async function watchLog(
  container: Container,
  { onOutput, signal }: { readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void; readonly signal: AbortSignal },
): Promise<Exit> {
  const stop = (): void => void container.stop().catch(() => {}); // its end shows below
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const { stream, bytes, complete } of container.logs({ follow: true })) {
      onOutput(stream, bytes);
      if (complete) onOutput(stream, lineFeed);
    }
    for (;;) {
      const { state, exitCode, oomKilled } = await container.inspect();
      if (state !== 'running') return { exitCode: exitCode ?? 1, oomKilled: oomKilled ?? false };
      await delay(20);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
