import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { directories } from '../../base/directories.ts';
import { diskStore } from '../../store/disk-store.ts';
import { engineSuite } from '../engine.suite.ts';
import { fillBusybox } from '../suite/busybox.suite.ts';
import { ask, textOf, type EngineUnderTest } from '../suite/rig.ts';
import { embeddedEngine } from './embedded-engine.ts';

/** A Node that runs TypeScript, as the command line has it. */
const node = join(import.meta.dirname, '../../../../../node_modules/.bin/node');

/** Another OCI runtime than the one that is found, to hold it to the same laws. */
const runtime = process.env['DEVENV_TEST_RUNTIME'] ? { runtime: process.env['DEVENV_TEST_RUNTIME'] } : {};
/** Another storage driver, likewise. */
const storage = { DEVENV_STORAGE_DRIVER: process.env['DEVENV_TEST_STORAGE'] };

/** Whether file systems may be served by programs. */
const canServe = ((): boolean => {
  try {
    closeSync(openSync('/dev/fuse', 'r+'));
    return true;
  } catch {
    return false;
  }
})();

function make(): EngineUnderTest {
  const scratch = mkdtempSync(join(tmpdir(), 'devenv-engine-'));
  chmodSync(scratch, 0o755);
  const places = directories({ DEVENV_BASE_DIR: join(scratch, 'base') }, 0);
  const store = diskStore(places);
  return {
    engine: embeddedEngine({ directories: places, store, cache: store, env: storage, report: () => {}, ...runtime }),
    scratch,
    fillBase: async (directory) => fillBusybox(directory),
    [Symbol.asyncDispose]: async () => rmSync(scratch, { recursive: true, force: true }),
  };
}

engineSuite('the embedded engine', make, (rig) => {
  const places = (): ReturnType<typeof directories> => directories({ DEVENV_BASE_DIR: join(rig.scratch, 'base') }, 0);
  /** Everything of this machine that carries the name of the test's own directory, or a control group or container of it. */
  const traces = (id: string): string[] => [
    ...readFileSync('/proc/1/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(rig.scratch)),
    ...execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-name', `devenv-*-${id}`], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean),
    ...readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && commandOf(name).some((part) => part.includes(`/containers/${id}`) || part === id),
    ),
    ...['data/containers', 'runtime/crun'].map((folder) => join(rig.scratch, 'base', folder, id)).filter((path) => existsSync(path)),
  ];

  const programHead = (): string =>
    [
      `import { embeddedEngine } from ${JSON.stringify(join(import.meta.dirname, 'embedded-engine.ts'))};`,
      `import { diskStore } from ${JSON.stringify(join(import.meta.dirname, '../../store/disk-store.ts'))};`,
      `const directories = ${JSON.stringify(places())}; const store = diskStore(directories); const layer = ${JSON.stringify(rig.layer)};`,
      `const engine = embeddedEngine({ directories, store, cache: store, env: ${JSON.stringify(storage)} });`,
      `const spec = ${JSON.stringify({ ...rig.specOf(), id: 'crash' })};`,
    ].join('\n'); // prettier-ignore

  /** Runs a program of its own on the engine, and kills it when it has said `ready`. */
  const killWhenReady = async (program: string): Promise<void> => {
    const child = spawn(node, ['--input-type=module', '-e', `${programHead()}\n${program}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'close');
  };

  describe('this machine', () => {
    test('sees no mount of a container, and nothing at all of one that was removed', async () => {
      const { id } = await (async () => {
        const source = join(rig.scratch, 'traced');
        mkdirSync(source);
        await using container = await rig.running({
          network: 'private',
          limits: { memory: 64 * 1024 * 1024 },
          mounts: [
            { type: 'bind', source, target: '/ws', readonly: false, ownedBy: 'dev' },
            { type: 'output', source: '/out/modules', target: '/ws/modules' },
            { type: 'tmpfs', target: '/tmp' },
          ],
        });
        await ask(container, 'true');
        expect(traces(container.id).filter((trace) => trace.includes(' '))).toEqual([]);
        expect(traces(container.id).length).toBeGreaterThan(3);
        return container;
      })();
      expect(traces(id)).toEqual([]);
      expect(readdirSync(join(rig.scratch, 'traced'))).toEqual(['modules']);
    });

    test('keeps a running container when the command that started it is gone', async () => {
      await killWhenReady(`const c = await engine.create(spec); await c.start(); console.log('ready'); setTimeout(() => {}, 60000);`);
      await rig.engine.reap(() => {});
      const [container] = (await rig.engine.list({})).filter(({ id }) => id === 'crash');
      expect((await ask(container!, 'echo here')).stdout).toBe('here\n');
      await container!.remove();
      expect(traces('crash')).toEqual([]);
    });

    test('can make a container again whose directory was removed by hand while it ran', async () => {
      await killWhenReady(`const c = await engine.create(spec); await c.start(); console.log('ready'); setTimeout(() => {}, 60000);`);
      rmSync(join(places().data, 'containers/crash'), { recursive: true });
      const again = await rig.engine.create({ ...rig.specOf(), id: 'crash' });
      await again.start();
      expect((await ask(again, 'echo here')).stdout).toBe('here\n');
      await again.remove();
      expect(traces('crash')).toEqual([]);
    });

    test('is rid of a half made container after the next reap', async () => {
      await killWhenReady(`
        engine.create({ ...spec, network: 'private', command: ['sleep', '1000'] }).then((c) => { const started = c.start(); setTimeout(() => console.log('ready'), 15); return started; });
        setTimeout(() => {}, 60000);`);
      const notices: string[] = [];
      await rig.engine.reap((event) => event.type === 'notice' && notices.push(event.message));
      const left = (await rig.engine.list({})).filter(({ id }) => id === 'crash');
      // It depends on the moment whether it had been made whole.
      for (const container of left) await container.remove();
      expect(traces('crash')).toEqual([]);
    });

    test('is rid of a build step whose command was killed after the next reap', async () => {
      const seconds = 100_000 + process.pid; // no other test sleeps as long
      await killWhenReady(`
        const build = await engine.builder.begin({ report: () => {}, signal: new AbortController().signal, certificates: undefined });
        const bench = await build.workbench(layer);
        await bench.run({ args: ['sh', '-c', 'echo begun; sleep ${seconds}'], env: { PATH: '/bin' }, user: 'root', workdir: '/', network: true, caches: [], secrets: [],
          signal: new AbortController().signal, onOutput: () => console.log('ready') });`);
      const isThere = (): boolean => readdirSync('/proc').some((name) => commandOf(name).join(' ') === `sleep ${seconds}`);
      expect(isThere()).toBe(true);
      await rig.engine.reap(() => {});
      expect([isThere(), readdirSync(join(places().runtime, 'builds')), readdirSync(join(places().data, 'drafts'))]).toEqual([
        false,
        [],
        [],
      ]);
      expect(readdirSync(join(places().runtime, 'crun')).filter((id) => id.startsWith('step-'))).toEqual([]);
    });

    test('ends the network of a container whose init died by itself', async () => {
      await using container = await rig.running({ network: 'private', command: ['true'] });
      const pastas = (): string[] => readdirSync('/proc').filter((name) => commandOf(name)[0]?.includes('pasta') && commandOf(name).join(' ').includes(container.id)); // prettier-ignore
      while ((await container.inspect()).state === 'running') await new Promise((resolve) => setTimeout(resolve, 20));
      await rig.engine.reap(() => {});
      expect(pastas()).toEqual([]);
    });

    test('gives a container whose pasta was killed its network again, and then other ports', async () => {
      await using container = await rig.running({ network: 'private' });
      const pastas = (): number[] => readdirSync('/proc').filter((name) => commandOf(name)[0]?.includes('pasta') && commandOf(name).join(' ').includes(container.id)).map(Number); // prettier-ignore
      for (const pid of pastas()) process.kill(pid, 'SIGKILL');
      await expect.poll(pastas).toEqual([]);
      expect(await container.inspect()).toMatchObject({ state: 'running', networkLost: true });
      await container.start();
      await container.update({
        env: {},
        limits: {},
        labels: {},
        ports: [{ hostAddress: '127.0.0.1', hostPort: 0, containerPort: 80, protocol: 'tcp' }],
      });
      expect(pastas()).toHaveLength(1);
    });

    test('without any network still runs a container, and says so', async () => {
      const program = `
        const said = [];
        const quiet = embeddedEngine({ directories, store, cache: store, env: ${JSON.stringify(storage)}, report: (event) => said.push(event.message) });
        const c = await quiet.create({ ...spec, id: 'offline', network: 'private' }); await c.start();
        console.log(said.join(), (await c.inspect()).state); await c.remove();`;
      const output = execFileSync('unshare', ['--net', node, '--input-type=module', '-e', `${programHead()}\n${program}`], {
        encoding: 'utf8',
      });
      expect(output).toMatch(/^this machine has no network.* running\n$/);
    });

    if (canServe)
      test('ends a container whose fuse-overlayfs was killed, which starts again with what was written', async () => {
        const store = diskStore(places());
        const env = { DEVENV_STORAGE_DRIVER: 'fuse-overlayfs' };
        const engine = embeddedEngine({ directories: places(), store, cache: store, env, report: () => {} });
        const container = await engine.create({ ...rig.specOf({ id: 'served' }), user: 'root' });
        onTestFinished(() => container.remove());
        await container.start();
        await ask(container, 'echo before > /made');
        for (const pid of readdirSync('/proc').filter(
          (name) => commandOf(name).join(' ').startsWith('fuse-overlayfs') && commandOf(name).join(' ').includes('/containers/served/'),
        ))
          process.kill(Number(pid), 'SIGKILL');
        await expect(container.exec(['true'], { stdio: 'pipe' })).rejects.toMatchObject({ code: 'NOT_RUNNING' });
        const notices: string[] = [];
        // A program that was killed closes what it has open before it is gone.
        await vi.waitFor(async () => {
          await rig.engine.reap((event) => event.type === 'notice' && notices.push(event.message));
          expect((await container.inspect()).state).toBe('exited');
        });
        expect(notices).toEqual([expect.stringContaining('the program that served its file system is gone')]);
        await rig.engine.reap(() => {});
        await container.start();
        expect((await ask(container, 'cat /made')).stdout).toBe('before\n');
        await container.remove();
        expect(traces('served')).toEqual([]);
      });

    test('shows a socket of the host where it is bound', async () => {
      const source = join(rig.scratch, 'socket');
      const server = createServer((socket) => socket.end('through the socket')).listen(source);
      await once(server, 'listening');
      await using container = await rig.running({
        mounts: [{ type: 'bind', source, target: '/run/its.sock', readonly: false, ownedBy: 'dev' }],
      });
      expect((await ask(container, 'stat -c "%F %U" /run/its.sock')).stdout).toBe('socket dev\n');
      server.close();
    });

    test('gives a command a terminal of its own when it has one', async () => {
      const program = `
        import { execInRunningContainer } from ${JSON.stringify(join(import.meta.dirname, 'exec.ts'))};
        const command = ['sh', '-c', 'tty; stty size; echo $TERM; exit 4'];
        const child = await execInRunningContainer(${JSON.stringify(join(places().data, 'containers', rig.box.id))}, command, { terminal: true, stdio: 'inherit' });
        const { exitCode } = await child.exit;
        process.exit(exitCode);`;
      writeFileSync(join(rig.scratch, 'terminal.mjs'), program);
      const child = spawn('script', ['-qec', `stty rows 40 cols 100; ${node} ${join(rig.scratch, 'terminal.mjs')}`, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const [said, [code]] = await Promise.all([textOf(child.stdout), once(child, 'close')]);
      expect([said.replaceAll('\r', ''), code]).toEqual(['/dev/pts/0\n40 100\nxterm\n', 4]);
    });

    test('reads the lists of users of a hostile image inside it only', async () => {
      await using build = await rig.begin();
      const hostile = await rig.step(
        build,
        rig.layer,
        'rm /etc/passwd /etc/group; ln -s /../../../../../../etc/passwd /etc/passwd; ln -s /etc /etc/group; rm -rf /work; ln -s /../../../../tmp /work',
      );
      await expect(rig.engine.create(rig.specOf({ layer: hostile.layer, user: 'daemon' }))).rejects.toMatchObject({ code: 'BAD_VALUE' });
      await using container = await rig.running({ layer: hostile.layer, user: '0' });
      expect((await ask(container, 'pwd -P')).stdout).toBe('/tmp\n');
    });
  });
});

function commandOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}
