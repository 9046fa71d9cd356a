import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LayerId } from '../../store/layer-store.ts';
import type { Container } from '../engine.ts';
import { addPerl } from './perl.suite.ts';
import { ask, type Rig } from './rig.ts';

/** A Perl program that tries to get out, and says what it got. */
export const breakOut: string = readFileSync(join(import.meta.dirname, 'programs/break-out.pl'), 'utf8');
const path = { PATH: '/usr/bin:/bin' };

/** What was meant to hold a container in holds, tried by a program that makes the kernel's calls itself. */
export function breakOutLaws(rig: Rig): void {
  describe.runIf(process.arch === 'x64')('breaking out', () => {
    const stack = new AsyncDisposableStack();
    let layer: LayerId;
    let container: Container;
    let env: Record<string, string>;
    const folder = join(rig.scratch, 'outside');
    beforeAll(async () => {
      layer = await rig.base((directory) => {
        addPerl(directory);
        writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\ndev:x:1000:1000::/home:/bin/sh\n');
      });
      env = { ...path, ...(await placeTargets(stack, folder)) };
      container = await rig.running({
        layer,
        env: path,
        network: 'private',
        mounts: [{ type: 'bind', source: join(folder, 'shared'), target: '/shared', readonly: false, ownedBy: 'dev' }],
      });
      stack.defer(() => container.remove());
    }, 60_000);
    afterAll(() => stack.disposeAsync());

    test.each(['root', 'dev'])('%s reaches no process, file, device, setting, socket or namespace of the host', async (user) => {
      const { stdout, stderr } = await ask(container, ['perl', '-e', breakOut], { user, env });
      expect([stdout.replace(/\d+\n$/, ''), stderr]).toEqual(['tried ', '']);
      expect(Number(/\d+\n$/.exec(stdout)![0])).toBeGreaterThan(200);
      expect(readFileSync(env['HOST_FILE']!, 'utf8')).toBe('of the host');
    });

    test('a step reaches none of them either', async () => {
      await using build = await rig.begin();
      const step = { env, network: true, args: ['perl', '-e', breakOut] };
      const { output } = await rig.step(build, layer, '', step);
      expect(output.replace(/\d+\n$/, '')).toBe('tried ');
    });

    test('no descriptor comes from outside but the three that talk', async () => {
      const script =
        'opendir my $d, "/proc/$ARGV[0]/fd"; print join(" ", sort grep /\\d/, readdir $d), "\\n"; print readlink("/proc/$ARGV[0]/cwd"), "\\n"';
      const own = ['perl', '-e', script, 'self']; // 3 is the directory that it reads
      expect((await ask(container, own, { user: 'root', workdir: '/etc', env })).stdout).toBe('0 1 2 3\n/etc\n');
      const { stdout } = await ask(container, ['perl', '-e', 'opendir my $d, "/proc/1/fd"; print map "$_ ", map readlink "/proc/1/fd/$_", sort grep /\\d/, readdir $d'], { user: 'root', env }); // prettier-ignore
      expect(stdout.split(' ').filter((target) => existsSync(target) && target !== '/dev/null')).toEqual([]);
      await using build = await rig.begin();
      expect((await rig.step(build, layer, '', { env: path, args: own })).output).toBe('0 1 2 3\n/\n');
    });

    test('a working directory among what the runtime has open is refused (CVE-2024-21626)', async () => {
      const linked = await rig.base((directory) => addPerl(directory));
      await using build = await rig.begin();
      const { layer: links } = await rig.step(build, linked, 'for n in 3 5 7 8; do ln -s /proc/self/fd/$n /w$n; done');
      for (const workdir of ['/proc/self/fd/7', '/w3', '/w7', '/tmp/../proc/1/cwd']) {
        await expect(rig.running({ layer: links, user: 'root', workdir })).rejects.toMatchObject({ code: 'BAD_VALUE' });
        await expect(rig.step(build, links, 'pwd', { workdir })).rejects.toMatchObject({ code: 'BAD_VALUE' });
      }
      await using running = await rig.running({ layer: links, user: 'root', workdir: '/' });
      for (const workdir of ['/proc/self/fd/7', '/w7', '/proc/1/fd', '/proc/self']) {
        await expect(running.exec(['pwd'], { workdir, stdio: 'pipe' })).rejects.toMatchObject({ code: 'BAD_VALUE' });
      }
    });

    test('shared memory ends where its limit is', async () => {
      await using small = await rig.running({ limits: { shm: 2 * 1024 * 1024 } });
      const { stdout, stderr } = await ask(small, 'dd if=/dev/zero of=/dev/shm/x bs=1M count=4; stat -c %s /dev/shm/x');
      expect([stdout, stderr]).toEqual(['2097152\n', expect.stringContaining('No space left')]);
    });
  });
}

/**
 * Puts what a container must not reach into a folder of the host and around it, until `stack` is disposed. Returns what the
 * program wants to know of it; the folder's directory `shared` is to be mounted at /shared.
 */
export async function placeTargets(stack: AsyncDisposableStack, folder: string): Promise<Record<string, string>> {
  mkdirSync(join(folder, 'shared'), { recursive: true });
  writeFileSync(join(folder, 'secret'), 'of the host', { mode: 0o666 });
  const mark = `only-outside-${process.pid}`;
  const victim = spawn('sleep', ['1000'], { env: { MARK: mark }, stdio: 'ignore' });
  stack.defer(() => void victim.kill());
  const abstract = `devenv-test-${process.pid}`;
  const [tcp] = await Promise.all([listen(stack, { port: 0, host: '::' }), listen(stack, { path: `\0${abstract}` })]);
  return {
    HOST_PID: String(victim.pid),
    HOST_MARK: [...mark].toReversed().join(''), // else it would be in the environment of those inside
    HOST_FILE: join(folder, 'secret'),
    PORT: String((tcp.address() as AddressInfo).port),
    ABSTRACT: abstract,
    DEVICES: devices(),
  };
}

async function listen(stack: AsyncDisposableStack, options: { port?: number; host?: string; path?: string }): Promise<Server> {
  const server = createServer((socket) => socket.end('host')).listen(options);
  await once(server, 'listening');
  stack.defer(() => void server.close());
  return server;
}

/**
 * Block devices of this machine, and the character devices that lead to its memory, its log and its mounts. Not its console, 5:1:
 * runc and crun let every container have it, and Docker with them.
 */
function devices(): string {
  const disks = readFileSync('/proc/partitions', 'utf8').matchAll(/^\s*(\d+)\s+(\d+)\s/gm);
  const misc = readFileSync('/proc/misc', 'utf8').matchAll(/^\s*(\d+) /gm);
  return [
    ...[...disks].map(([, major, minor]) => `b ${major} ${minor}`),
    ...[
      'b 7 0',
      'b 8 0',
      'b 254 0',
      'b 259 0',
      'c 1 1',
      'c 1 2',
      'c 1 4',
      'c 1 11',
      'c 4 0',
      'c 4 64',
      'c 7 0',
      'c 13 0',
      'c 21 0',
      'c 202 0',
    ],
    ...[...misc].map(([, minor]) => `c 10 ${minor}`),
  ].join(',');
}
