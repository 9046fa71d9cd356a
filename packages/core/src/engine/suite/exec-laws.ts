import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { UserError } from '../../base/errors.ts';
import type { ExecOptions } from '../engine.ts';
import { ask, type Rig } from './rig.ts';

export function execLaws(rig: Rig): void {
  describe('exec', () => {
    test('returns the exit code, 128+n for a signal', async () => {
      expect((await ask(rig.box, 'exit 7')).exitCode).toBe(7);
      expect((await ask(rig.box, 'exit 255')).exitCode).toBe(255);
      expect((await ask(rig.box, 'kill -9 $$')).exitCode).toBe(137);
    });

    test('says whether a command is not there (127) or cannot be run (126)', async () => {
      const codeOf = (command: readonly string[], options: Omit<ExecOptions, 'stdio'> = {}): Promise<unknown> =>
      ask(rig.box, command, options).then(({ exitCode }) => exitCode, (error: UserError) => [error.code, error.exitCode]); // prettier-ignore
      expect(await codeOf(['nothing-here'])).toEqual(['COMMAND_NOT_FOUND', 127]);
      expect(await codeOf(['/nothing/here'])).toEqual(['COMMAND_NOT_FOUND', 127]);
      expect(await codeOf(['/plain'])).toEqual(['COMMAND_NOT_EXECUTABLE', 126]);
      expect(await codeOf(['/odd'])).toEqual(['COMMAND_NOT_EXECUTABLE', 126]);
      expect(await codeOf(['/data'])).toEqual(['COMMAND_NOT_EXECUTABLE', 126]);
      expect(await codeOf(['true'], { workdir: '/nowhere' })).toEqual(['BAD_VALUE', 2]);
      expect(await codeOf(['true'], { user: 'who' })).toEqual(['BAD_VALUE', 2]);
    });

    test('passes bytes untouched, stdout and stderr apart', async () => {
      const bytes = Array.from({ length: 70_000 }, (_, index) => String.fromCharCode(index % 128)).join('');
      const { stdout, stderr } = await ask(rig.box, 'cat; echo problem >&2', {}, bytes);
      expect(stdout === bytes).toBe(true);
      expect(stderr).toBe('problem\n');
    });

    test('lets a command open its own stdout and stderr', async () => {
      expect(await ask(rig.box, 'echo a > /dev/stdout; echo b > /dev/stderr')).toMatchObject({ stdout: 'a\n', stderr: 'b\n' });
    });

    test('ends with the command, also when that leaves something running', async () => {
      const process = await rig.box.exec(['sh', '-c', 'sleep 5 & echo begun'], { stdio: 'pipe' });
      let said = '';
      process.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const started = performance.now();
      expect(await process.exit).toMatchObject({ exitCode: 0 });
      expect([said, performance.now() - started < 4000]).toEqual(['begun\n', true]);
    });

    test('shows the declared environment only, with what is added', async () => {
      process.env['DEVENV_SUITE_LEAK'] = 'leak';
      const { stdout } = await ask(rig.box, ['env'], { env: { ADDED: 'x=y', GREETING: 'bye' } });
      delete process.env['DEVENV_SUITE_LEAK'];
      expect(stdout.trim().split('\n').toSorted()).toEqual(['ADDED=x=y', 'GREETING=bye', 'HOME=/home/dev', 'PATH=/bin']);
    });

    test('runs as the user and in the directory that are asked for', async () => {
      expect((await ask(rig.box, 'id; pwd; echo $HOME')).stdout).toBe(
        'uid=1000(dev) gid=1000(dev) groups=1000(dev),2000(team)\n/work\n/home/dev\n',
      );
      expect((await ask(rig.box, 'id; pwd; echo $HOME', { user: 'root', workdir: '/data' })).stdout).toMatch(
        /^uid=0\(root\).*\n\/data\n\/root\n$/,
      );
      expect((await ask(rig.box, 'id -u; id -g', { user: '4321:2000' })).stdout).toBe('4321\n2000\n');
    });

    test('passes signals on, and KILL too', async () => {
      for (const [signal, code] of [
        ['SIGTERM', 143],
        ['SIGINT', 130],
        ['SIGKILL', 137],
      ] as const) {
        const process = await rig.box.exec(['sh', '-c', 'echo ready; exec sleep 61'], { stdio: 'pipe' });
        await once(process.stdout!, 'data');
        process.kill(signal);
        expect((await process.exit).exitCode).toBe(code);
      }
      expect((await ask(rig.box, 'ps')).stdout).not.toContain('sleep 61');
    });

    test('hands no descriptor of ours to the command', async () => {
      expect((await ask(rig.box, 'ls /proc/self/fd')).stdout).toBe('0\n1\n2\n3\n'); // 3: the directory that ls reads
    });
  });
}
