import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Container, LogOptions } from '../engine.ts';
import type { Rig } from './rig.ts';

export function logLaws(rig: Rig): void {
  describe('the log of a container', () => {
    test('is what its command said, by stream, also when it has ended', async () => {
      await using container = await rig.running({ command: ['sh', '-c', 'echo one; echo two >&2; sleep 0.3; printf half'] });
      const following = told(container, { follow: true });
      const lines = await following;
      expect(lines.filter(([stream]) => stream === 'stdout')).toEqual([
        ['stdout', 'one\n'],
        ['stdout', 'half'],
      ]);
      expect(lines.filter(([stream]) => stream === 'stderr')).toEqual([['stderr', 'two\n']]);
      expect(await told(container, { follow: false })).toEqual(lines);
      await container.stop();
      expect(await told(container, { follow: false, tail: 1 })).toEqual([lines.at(-1)]);
    });

    test('does not have what exec says, and is empty when the container idles', async () => {
      const { exit } = await rig.box.exec(['echo', 'mine'], { stdio: 'pipe' });
      await exit;
      expect(await told(rig.box, { follow: false })).toEqual([]);
    });

    test('stays within bounds, and a follower loses at most what was dropped', async () => {
      await using container = await rig.running({ command: ['sh', '-c', 'seq 1 300000; sleep 0.5; echo end'] });
      const lines = await told(container, { follow: true });
      expect(lines.at(-1)).toEqual(['stdout', 'end\n']);
      expect((await told(container, { follow: false })).length).toBeLessThan(300_000);
    });

    test('can be followed until the reader has enough', async () => {
      await using container = await rig.running({ command: ['sh', '-c', 'while :; do echo tick; sleep 0.1; done'] });
      const controller = new AbortController();
      const following = told(container, { follow: true, signal: controller.signal });
      await delay(1000);
      controller.abort();
      expect((await following).length).toBeGreaterThan(1);
    });
  });
}

async function told(container: Container, options: LogOptions): Promise<[string, string][]> {
  const lines: [string, string][] = [];
  for await (const { stream, bytes, complete } of container.logs(options))
    lines.push([stream, `${Buffer.from(bytes).toString()}${complete ? '\n' : ''}`]);
  return lines;
}
