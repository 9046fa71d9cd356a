import { describe, expect, test } from 'vitest';
import { ask, type Rig } from './rig.ts';

export function useLaws(rig: Rig): void {
  describe('what a container uses', () => {
    test('is told with what it may use, and grows with its work', async () => {
      await using container = await rig.running({ limits: { memory: 64 * 1024 * 1024, cpus: 0.5, pids: 50 } });
      const before = await container.use();
      expect(before).toMatchObject({ memory: { limit: 64 * 1024 * 1024 }, cpu: { limit: 0.5 }, pids: { limit: 50 } });
      await ask(container, 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done');
      const after = await container.use();
      expect(after.cpu!.seconds).toBeGreaterThan(before.cpu!.seconds);
      expect(after.memory!.bytes).toBeLessThan(64 * 1024 * 1024);
      expect(after.pids!.count).toBeGreaterThan(0);
    });

    test('has no limits where none were asked for', async () => {
      const { memory, cpu, pids } = await rig.box.use();
      expect([memory, cpu, pids].map((each) => Object.keys(each!))).toEqual([['bytes'], ['seconds'], ['count']]);
    });

    test('is nothing but the space of what it changed when it does not run', async () => {
      await using container = await rig.running();
      const before = await container.size();
      await ask(container, 'dd if=/dev/zero of=/work/file bs=1024 count=1024');
      await container.stop();
      expect(await container.use()).toEqual({});
      expect((await container.size()) - before).toBeGreaterThanOrEqual(1024 * 1024);
    });
  });
}
