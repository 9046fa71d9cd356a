import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { UserError } from '../../base/errors.ts';
import type { Container, ContainerSpec } from '../engine.ts';
import { ask, type Rig } from './rig.ts';

export function containerLaws(rig: Rig): void {
  describe('a container', () => {
    test('goes through created, running, exited and gone, and may be told twice', async () => {
      const container = await rig.engine.create(rig.specOf());
      const states = [(await container.inspect()).state];
      for (const change of ['start', 'start', 'stop', 'stop', 'start', 'remove', 'remove'] as const) {
        await container[change]();
        states.push((await container.inspect()).state);
      }
      expect(states).toEqual(['created', 'running', 'running', 'exited', 'exited', 'running', 'gone', 'gone']);
    });

    test('is listed by its labels', async () => {
      await using mine = await rig.running({ labels: { suite: 'engine', role: 'listed' } });
      expect((await rig.engine.list({ role: 'listed' })).map(({ id, labels }) => ({ id, labels }))).toEqual([
        { id: mine.id, labels: { suite: 'engine', role: 'listed' } },
      ]);
      expect((await rig.engine.list({ suite: 'engine' })).length).toBeGreaterThan(1);
      expect(await rig.engine.list({ role: 'other' })).toEqual([]);
    });

    test('keeps what was written in it when it stops and starts again', async () => {
      await using container = await rig.running();
      await ask(container, 'echo kept > /work/note');
      await container.stop();
      await expect(container.exec(['true'], { stdio: 'pipe' })).rejects.toMatchObject({ code: 'NOT_RUNNING' });
      await container.start();
      expect((await ask(container, 'cat /work/note')).stdout).toBe('kept\n');
    });

    test('is found by its id, and not when it is gone', async () => {
      const container = await rig.running();
      expect((await rig.engine.find(container.id))?.labels).toEqual(container.labels);
      await container.remove();
      expect([await rig.engine.find(container.id), await rig.engine.find('../box')]).toEqual([undefined, undefined]);
    });

    test('runs its command under an init, and knows its exit code', async () => {
      await using container = await rig.running({ command: ['sh', '-c', 'sleep 0.2; exit 3'] });
      for (let tries = 0; (await container.inspect()).state === 'running' && tries < 100; tries++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await container.inspect()).toMatchObject({ state: 'exited', exitCode: 3 });
    });

    test('stops quickly, also with a command that ignores TERM when its grace is short', async () => {
      await using idle = await rig.running();
      await using stubborn = await rig.running({ command: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'] });
      const started = performance.now();
      await idle.stop();
      await stubborn.stop({ graceSeconds: 0.3 });
      expect(performance.now() - started).toBeLessThan(8000);
      expect((await stubborn.inspect()).exitCode).toBe(137);
    });

    test('asks its command to end with the signal that it was made with, and hears the last words', async () => {
      const script = 'trap "echo told to stop; exit 5" USR1; echo ready; while :; do sleep 0.1; done';
      await using container = await rig.running({ command: ['sh', '-c', script], stopSignal: 'SIGUSR1' });
      await expect.poll(() => words(container)).toBe('ready');
      await container.stop();
      expect([(await container.inspect()).exitCode, await words(container)]).toEqual([5, 'ready,told to stop']);
    });

    test('keeps the stdin of its command open, as a pipe or as a terminal of its own, when it is asked to', async () => {
      const script = 'if [ -t 0 ]; then echo terminal; else echo pipe; fi; exec cat';
      const command = ['sh', '-c', script];
      await using closed = await rig.running({ command });
      await using open = await rig.running({ command, stdin: 'open' });
      await using terminal = await rig.running({ command, stdin: 'terminal' });
      await expect.poll(async () => (await closed.inspect()).state).toBe('exited');
      const states = async (): Promise<unknown> => Promise.all([open, terminal].map(async (each) => (await each.inspect()).state));
      await expect.poll(async () => [await words(open), await words(terminal)]).toEqual(['pipe', 'terminal\r']);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(await states()).toEqual(['running', 'running']);
      expect((await ask(terminal, 'tty')).stdout).not.toMatch(/\/dev/); // exec has its own streams
      await Promise.all([open.stop(), terminal.stop()]);
      expect(await states()).toEqual(['exited', 'exited']);
    });

    test('has an init that reaps orphans', async () => {
      await ask(rig.box, '(sleep 0.1 &) ; true');
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect((await ask(rig.box, 'ps -o stat,args')).stdout).not.toMatch(/^Z/m);
    });

    test('is made with a user, command or directory that the image has, or not at all', async () => {
      const refused = async (changes: Partial<ContainerSpec>): Promise<unknown> => {
        const spec = rig.specOf(changes);
        const code = await rig.engine.create(spec).then(
          () => 'made',
          (error: unknown) => (error as UserError).code,
        );
        expect((await rig.engine.list({ suite: 'engine' })).map(({ id }) => id)).not.toContain(spec.id);
        return code;
      };
      expect(await refused({ user: 'nobody-here' })).toBe('BAD_VALUE');
      expect(await refused({ user: 'dev:nogroup-here' })).toBe('BAD_VALUE');
      expect(await refused({ command: ['no-such-command'] })).toBe('COMMAND_NOT_FOUND');
      expect(await refused({ workdir: '/data/file' })).toBe('BAD_VALUE');
      expect(await refused({ mounts: [{ type: 'bind', source: join(rig.scratch, 'absent'), target: '/x', readonly: false }] })).toBe(
        'MOUNT_SOURCE_MISSING',
      );
    });
  });
}

async function words(container: Container): Promise<string> {
  const lines: string[] = [];
  for await (const { bytes } of container.logs({ follow: false })) lines.push(Buffer.from(bytes).toString());
  return lines.join(',');
}
