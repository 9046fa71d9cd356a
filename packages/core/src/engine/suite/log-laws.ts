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

    test('is whole also when it is long, and its last lines are those before its end', async () => {
      await using container = await rig.running({ command: ['seq', '1', '400000'] });
      await expect.poll(async () => (await container.inspect()).state, { timeout: 20_000 }).toBe('exited');
      const all = Array.from({ length: 400_000 }, (_, index) => index + 1);
      expect((await numbers(container, {})) === all.join()).toBe(true); // a difference would be as long
      expect((await numbers(container, { tail: 300_000 })) === all.slice(-300_000).join()).toBe(true);
    });

    test('stays within bounds: its beginning and its end are kept, and a follower loses at most what was dropped', async () => {
      const many = 2_400_000;
      await using container = await rig.running({ command: ['sh', '-c', `seq 1 ${many}; sleep 0.5; echo 0`] });
      let last = '';
      for await (const { bytes } of container.logs({ follow: true })) last = Buffer.from(bytes).toString();
      expect(last).toBe('0');
      const kept = (await numbers(container, {})).split(',').map(Number);
      expect(kept.length).toBeLessThan(many / 2);
      const gap = kept.findIndex((number, index) => number !== index + 1);
      expect(gap).toBeGreaterThan(300_000);
      const wrong = kept.slice(gap + 1, -1).findIndex((number, index, rest) => number !== many - rest.length + index + 1);
      expect([wrong, kept.at(-1)]).toEqual([-1, 0]);
      expect(await numbers(container, { tail: 1 })).toBe('0');
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

/** The numbers that it said, one on a line, between commas. A line may be written in two pieces. */
async function numbers(container: Container, options: Omit<LogOptions, 'follow'>): Promise<string> {
  const pieces: string[] = [];
  for await (const { bytes, complete } of container.logs({ ...options, follow: false }))
    pieces.push(Buffer.from(bytes).toString() + (complete ? ',' : ''));
  return pieces.join('').slice(0, -1);
}
