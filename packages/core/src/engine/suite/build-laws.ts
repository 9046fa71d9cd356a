import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../base/canonical-json.ts';
import type { Event } from '../../base/events.ts';
import { run as runProgram } from '../../base/processes.ts';
import { sha256Digest } from '../../oci/digest.ts';
import type { Image, Layer } from '../../oci/image.ts';
import { hostPlatform } from '../../oci/platform.ts';
import type { Build } from '../engine.ts';
import { usualStep, type Rig } from './rig.ts';

export function buildLaws(rig: Rig): void {
  describe('a build', () => {
    test('hands what a step changed, added and removed to the next step', async () => {
      await using build = await rig.begin();
      const first = await rig.step(build, rig.layer, 'echo new > /added; echo more >> /data/file; rm -r /out');
      const second = await rig.step(build, first.layer, 'cat /added /data/file; ls /out');
      expect(second.output).toBe('new\nimage\nmore\nls: /out: No such file or directory\n');
      const sibling = await rig.step(build, rig.layer, 'cat /data/file; ls /out');
      expect(sibling.output).toBe('image\nmodules\n');
    });

    test('gives a step the variables it declares and HOME, nothing of ours', async () => {
      process.env['DEVENV_SUITE_LEAK'] = 'leak';
      await using build = await rig.begin();
      const { output } = await rig.step(build, rig.layer, '', { args: ['env'], env: { PATH: '/bin', A: 'b c' }, user: 'dev' });
      delete process.env['DEVENV_SUITE_LEAK'];
      expect(output.trim().split('\n').toSorted()).toEqual(['A=b c', 'HOME=/home/dev', 'PATH=/bin']);
    });

    test('runs a step as its user, with its groups, in a working directory that it owns', async () => {
      await using build = await rig.begin();
      const { output } = await rig.step(build, rig.layer, 'id; pwd; touch here && ls -ld .', { user: 'dev', workdir: '/new/place' });
      expect(output).toMatch(/^uid=1000\(dev\) gid=1000\(dev\) groups=1000\(dev\),2000\(team\)\n\/new\/place\ndrwxr-xr-x +2 dev +dev /);
    });

    test('returns the exit code of a step, 128+n when a signal ended it, 127 when there is no such command', async () => {
      await using build = await rig.begin();
      await using bench = await build.workbench(rig.layer);
      const codeOf = async (...args: string[]): Promise<number> => (await bench.run({ ...usualStep, args, onOutput: () => {} })).exitCode;
      expect(await codeOf('sh', '-c', 'exit 7')).toBe(7);
      expect(await codeOf('sh', '-c', "sh -c 'kill -TERM $$'")).toBe(143);
      expect(await codeOf('nothing-of-this-name')).toBe(127);
      expect(await codeOf('/plain')).toBe(126);
    });

    test('hears what a step says in the order it is said, also on /dev/stdout and /dev/stderr', async () => {
      const script = 'for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done; echo o6 > /dev/stdout; echo e6 > /dev/stderr';
      await using build = await rig.begin();
      const { output } = await rig.step(build, rig.layer, script, { user: 'dev' });
      expect(output).toBe([1, 2, 3, 4, 5, 6].map((number) => `o${number}\ne${number}\n`).join(''));
    });

    test('removes temporary copies that a step left as they were, and keeps the changed ones', async () => {
      const source = join(rig.scratch, 'input');
      writeFileSync(source, 'input\n');
      await using build = await rig.begin();
      await using bench = await build.workbench(rig.layer);
      for (const path of ['/work/deep/kept', '/work/deep/changed']) {
        await bench.put({ path, content: { type: 'file', source, sha256: sha256('input\n') }, mode: 0o644, temporary: true });
      }
      await bench.put({
        path: '/etc/lasting',
        content: { type: 'file', source, sha256: sha256('input\n') },
        mode: 0o640,
        owner: 'dev',
        temporary: false,
      });
      await bench.run({ ...usualStep, args: ['sh', '-c', 'cat /work/deep/kept; echo more >> /work/deep/changed'], onOutput: () => {} });
      const { output } = await rig.step(
        build,
        await bench.commit(),
        'find /work /etc/lasting; cat /work/deep/changed; stat -c "%a %U" /etc/lasting',
      );
      expect(output).toBe('/work\n/work/deep\n/work/deep/changed\n/etc/lasting\ninput\nmore\n640 dev\n');
    });

    test('puts files where a link of the tree leads inside the tree, never outside', async () => {
      const source = join(rig.scratch, 'linked');
      writeFileSync(source, 'x');
      await using build = await rig.begin();
      const linked = await rig.step(build, rig.layer, `ln -s / /escape; ln -s ../../../../../../tmp /up`);
      await using bench = await build.workbench(linked.layer);
      const content = { type: 'file', source, sha256: sha256('x') } as const;
      await bench.put({ path: `/escape${rig.scratch}/trap`, content, mode: 0o644, temporary: false });
      await bench.put({ path: '/up/trap', content, mode: 0o644, temporary: false });
      const { output } = await rig.step(build, await bench.commit(), `ls ${rig.scratch}/trap /tmp/trap`);
      expect(output).toBe(`${rig.scratch}/trap\n/tmp/trap\n`.split('\n').toSorted().join('\n').trim() + '\n');
      expect([existsSync(join(rig.scratch, 'trap')), existsSync('/tmp/trap')]).toEqual([false, false]);
    });

    test('keeps caches between steps and secrets nowhere', async () => {
      await using build = await rig.begin();
      const caches = [{ source: join(rig.scratch, 'cache'), target: '/var/cache/tool' }];
      const secrets = [{ name: 'TOKEN', value: 's3cret' }];
      const first = await rig.step(
        build,
        rig.layer,
        'echo kept > /var/cache/tool/x; cat /run/secrets/TOKEN; stat -c "%a %U" /run/secrets/TOKEN',
        { user: 'dev', caches, secrets },
      );
      expect(first.output).toBe('s3cret400 dev\n');
      const second = await rig.step(build, first.layer, 'cat /var/cache/tool/x; ls /run/secrets', { user: 'dev', caches });
      expect(second.output).toContain('kept\n');
      expect(second.output).not.toContain('TOKEN');
      const third = await rig.step(build, second.layer, 'ls -A /var/cache /run');
      expect(third.output).not.toMatch(/tool|secrets/);
    });

    test('shows certificates to every step and leaves nothing of them', async () => {
      const bundle = join(rig.scratch, 'bundle.pem');
      writeFileSync(bundle, 'PEM text', { mode: 0o600 });
      await using build = await rig.begin(usualStep.signal, bundle);
      const first = await rig.step(build, rig.layer, 'cat /run/devenv/ca.pem', { user: 'dev' });
      expect(first.output).toBe('PEM text');
      await using other = await rig.begin();
      expect((await rig.step(other, first.layer, 'ls -A /run/devenv /etc/apt')).output).not.toMatch(/ca.pem|apt.conf/);
    });

    test('connects a step to the network only when it asks', async () => {
      await using build = await rig.begin();
      const interfaces = async (network: boolean): Promise<string[]> =>
        (await rig.step(build, rig.layer, 'ls /sys/class/net', { network })).output.trim().split('\n');
      expect(await interfaces(false)).toEqual(['lo']);
      expect((await interfaces(true)).length).toBeGreaterThan(1);
    });

    test('ends a step at once when it is aborted, and keeps nothing', async () => {
      const stop = new AbortController();
      await using build = await rig.begin(stop.signal);
      await using bench = await build.workbench(rig.layer);
      const started = performance.now();
      const run = bench.run({
        ...usualStep,
        args: ['sh', '-c', 'echo started; trap "" TERM INT; sleep 60'],
        signal: stop.signal,
        onOutput: () => stop.abort(),
      });
      await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(performance.now() - started).toBeLessThan(10_000);
    });

    test('ends a step that is aborted while it is being started', async () => {
      for (const wait of [0, 5, 20, 40]) {
        const stop = new AbortController();
        await using build = await rig.begin(stop.signal);
        await using bench = await build.workbench(rig.layer);
        const started = performance.now();
        const run = bench.run({ ...usualStep, args: ['sleep', '60'], signal: stop.signal, onOutput: () => {} });
        setTimeout(() => stop.abort(), wait);
        await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
        expect(performance.now() - started).toBeLessThan(10_000);
      }
    });

    test('unpacks the layers of an image, each once, and tells of the bytes', async () => {
      const layerOf = async (name: string, text: string): Promise<Layer & { opened: number }> => {
        const folder = join(rig.scratch, name);
        mkdirSync(folder);
        writeFileSync(join(folder, name), text);
        const tar = Buffer.from((await runProgram('tar', ['-c', '-C', folder, name])).stdout); // ASCII throughout
        const layer = {
          diffId: sha256Digest(sha256(tar)),
          size: tar.length,
          opened: 0,
          open: async (options: { onBytes?: (count: number) => void } = {}) => {
            layer.opened++;
            options.onBytes?.(tar.length);
            return Readable.from([tar]);
          },
        };
        return layer;
      };
      const layers = [await layerOf('lower', 'a'), await layerOf('higher', 'b')];
      const config = { env: {}, user: '', workdir: '', entrypoint: [], command: [], labels: {}, exposedPorts: [], volumes: [] };
      const image: Image = { id: layers[0]!.diffId, document: Buffer.of(), platform: hostPlatform(), config, layers };
      const events: Event[] = [];
      await using build = await rig.engine.builder.begin({
        report: (event) => events.push(event),
        signal: usualStep.signal,
        certificates: undefined,
      });
      const first = await build.load(image, 'base');
      expect(await build.load(image, 'base')).toBe(first);
      const bytes = layers[0]!.size! + layers[1]!.size!;
      expect([layers.map(({ opened }) => opened), events.at(-1)]).toEqual([[1, 1], { type: 'transfer', id: 'base', bytes, total: bytes }]);
      await using bench = await build.workbench(first);
      await expect(bench.run({ ...usualStep, args: ['/nothing'], onOutput: () => {} })).resolves.toEqual({
        exitCode: 127,
        oomKilled: false,
      });
    });

    test('lets one process at a time make a key', async () => {
      await using build = await rig.begin();
      const key = 'a'.repeat(64) as Parameters<Build['claim']>[0];
      const first = await build.claim(key, () => {});
      let waited = 0;
      const second = build.claim(key, () => waited++);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(waited).toBe(1);
      await first[Symbol.asyncDispose]();
      await (await second)[Symbol.asyncDispose]();
    });
  });
}
