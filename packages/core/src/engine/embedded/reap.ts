import type { StartContext } from './start-container.ts';

export async function reap(context: StartContext): Promise<void> {
  await context.store.reap();
}
