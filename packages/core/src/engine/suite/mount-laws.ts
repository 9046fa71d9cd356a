import { chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ask, type Rig } from './rig.ts';

export function mountLaws(rig: Rig): void {
  describe('mounts', () => {
    test('show files of the host owner as those of the user inside, both ways', async () => {
      const source = join(rig.scratch, 'owned');
      mkdirSync(source);
      writeFileSync(join(source, 'outside'), 'x');
      for (const path of [source, join(source, 'outside')]) chownSync(path, 4711, 4712);
      await using container = await rig.running({ mounts: [{ type: 'bind', source, target: '/ws', readonly: false, ownedBy: 'dev' }] });
      expect(
        (
          await ask(
            container,
            'cd /ws; stat -c "%U:%G" . outside; echo y > inside; mkdir folder; stat -c "%u:%g" inside; chown root inside 2>&1',
          )
        ).stdout,
      ).toMatch(/^dev:dev\ndev:dev\n1000:1000\nchown: inside: Operation not permitted\n$/);
      const { uid, gid } = statSync(join(source, 'inside'));
      expect([uid, gid]).toEqual([4711, 4712]);
      expect((await ask(container, 'touch /ws/by-root; stat -c "%u:%g" /ws/by-root', { user: 'root' })).stdout).toBe('0:0\n');
    });

    test('read-only means read-only', async () => {
      const source = join(rig.scratch, 'fixed');
      mkdirSync(source);
      writeFileSync(join(source, 'file'), 'x');
      const mounts = [
        { type: 'bind', source, target: '/fixed', readonly: true },
        { type: 'bind', source: join(source, 'file'), target: '/etc/one-file', readonly: true },
      ] as const;
      await using container = await rig.running({ mounts });
      const { stdout, stderr } = await ask(container, 'cat /fixed/file /etc/one-file; echo y > /fixed/file; echo y > /etc/one-file', {
        user: 'root',
      });
      expect(stdout).toBe('xx');
      expect([stderr, stderr.match(/Read-only file system/g)?.length]).toEqual([stderr, 2]);
    });

    test('a volume begins as the image has it, outlives its container, and can be removed', async () => {
      const mounts = [{ type: 'volume', name: 'suite-data', target: '/data', readonly: false }, { type: 'volume', name: 'suite-new', target: '/fresh', readonly: false }] as const; // prettier-ignore
      {
        await using container = await rig.running({ mounts });
        expect(
          (await ask(container, 'cat /data/file; stat -c "%a %U:%G" /data/file /data /fresh; echo mine > /data/file; touch /fresh/x'))
            .stdout,
        ).toBe('image\n640 dev:team\n755 dev:dev\n755 dev:dev\n');
      }
      {
        await using container = await rig.running({ mounts });
        expect((await ask(container, 'cat /data/file; ls /fresh')).stdout).toBe('mine\nx\n');
      }
      await rig.engine.removeVolumes('suite-');
      await using container = await rig.running({ mounts });
      expect((await ask(container, 'cat /data/file; ls /fresh')).stdout).toBe('image\n');
    });

    test('a tmpfs is empty, writable and of its size', async () => {
      await using container = await rig.running({ mounts: [{ type: 'tmpfs', target: '/data', size: 1024 * 1024 }] });
      expect(
        (await ask(container, 'ls -A /data; touch /data/x && dd if=/dev/zero of=/data/big bs=1k count=2048 2>&1 | grep -c "No space"'))
          .stdout,
      ).toBe('1\n');
    });

    test('an output of the image appears inside the workspace, copy-on-write, and the host stays clean', async () => {
      const source = join(rig.scratch, 'workspace');
      mkdirSync(source);
      chownSync(source, 4711, 4711);
      const mounts = [
        { type: 'output', source: '/out/modules', target: '/ws/modules' },
        { type: 'bind', source, target: '/ws', readonly: false, ownedBy: 'dev' },
      ] as const;
      {
        await using container = await rig.running({ mounts });
        expect((await ask(container, 'cd /ws/modules && cat a && echo b > b && rm a && ls')).stdout).toBe('lib\nb\n');
        await container.stop();
        await container.start();
        expect((await ask(container, 'ls /ws/modules /out/modules')).stdout).toBe('/out/modules:\na\n\n/ws/modules:\nb\n');
      }
      expect([readdirSync(source), readdirSync(join(source, 'modules')), statSync(join(source, 'modules')).uid]).toEqual([
        ['modules'],
        [],
        4711,
      ]);
      await using container = await rig.running({ mounts });
      expect((await ask(container, 'ls /ws/modules')).stdout).toBe('a\n');
    });
  });
}
