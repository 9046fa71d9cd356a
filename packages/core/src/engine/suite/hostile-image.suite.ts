import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { LayerId } from '../../store/layer-store.ts';
import { addPerl } from './perl.suite.ts';
import { ask, type Rig } from './rig.ts';

/** An image decides what its links say, and a runtime that runs as root must not follow them out of it. */
export function hostileImageLaws(rig: Rig): void {
  describe('an image made to harm', () => {
    const host = join(rig.scratch, 'hostile-host');
    /** A link in an image that leads to this place of the host, if it is followed outside. */
    const outside = (name: string): string => `${'/..'.repeat(12)}${join(host, name)}`;
    beforeAll(() => {
      mkdirSync(join(host, 'folder'), { recursive: true });
      writeFileSync(join(host, 'file'), 'of the host');
    });
    /** An image with these links, and nothing else where they are. */
    const imageWith = (links: Readonly<Record<string, string>>): Promise<LayerId> =>
      rig.base((directory) => {
        writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\ndev:x:1000:1000::/home:/bin/sh\n');
        for (const name of ['dev', 'proc', 'sys', 'work', 'run']) mkdirSync(join(directory, name));
        for (const [path, target] of Object.entries(links)) {
          rmSync(join(directory, path), { recursive: true, force: true });
          symlinkSync(target, join(directory, path));
        }
      });
    const untouched = (): void => {
      expect([readdirSync(host), readdirSync(join(host, 'folder')), readFileSync(join(host, 'file'), 'utf8')]).toEqual([
        ['file', 'folder'],
        [],
        'of the host',
      ]);
    };

    test('with a link for /dev, /proc or /sys is refused, and nothing is made where the link leads', async () => {
      await using build = await rig.begin();
      for (const [path, target] of [
        ['/dev', outside('folder')],
        ['/dev', '/proc/self/fd'],
        ['/proc', outside('folder')],
        ['/proc', '/dev/shm'],
        ['/sys', outside('folder')],
      ] as const) {
        const layer = await imageWith({ [path]: target });
        await expect(rig.running({ layer, user: 'root' })).rejects.toMatchObject({ code: 'BAD_VALUE' });
        await expect(rig.step(build, layer, 'true')).rejects.toMatchObject({ code: 'BAD_VALUE' });
        untouched();
      }
    });

    test('with links in /dev to be written through gets a /dev of its own (CVE-2025-31133, CVE-2025-52565)', async () => {
      const core = '/proc/sys/kernel/core_pattern';
      const before = readFileSync(core, 'utf8');
      const layer = await imageWith({
        '/dev/null': core,
        '/dev/console': outside('file'),
        '/dev/shm': outside('folder'),
        '/dev/pts': '/proc',
      });
      await using container = await rig.running({ layer, user: 'root' });
      const { stdout } = await ask(
        container,
        `stat -c %F /dev/null /dev/shm /dev/pts; echo pwned > ${core}; head -c 1 /proc/kcore /proc/keys 2> /dev/null | wc -c`,
      );
      expect(stdout).toMatch(/^character special file\ndirectory\ndirectory\n/);
      expect(readFileSync(core, 'utf8')).toBe(before);
      untouched();
    });

    test('with links for the files and folders that are mounted stays inside with them', async () => {
      const links = {
        '/etc/resolv.conf': outside('file'),
        '/etc/hosts': outside('new'),
        '/etc/hostname': '/../../etc/other',
        '/run': outside('folder'),
        '/work': outside('folder/work'),
        '/etc/passwd': outside('file'),
        '/etc/group': '/etc/passwd',
      };
      const layer = await imageWith(links);
      const source = join(rig.scratch, 'hostile-workspace');
      mkdirSync(source);
      await using container = await rig.running({ layer, user: '0', mounts: [{ type: 'bind', source, target: '/work', readonly: false }] });
      const script = 'cat /etc/hosts; touch /work/made; echo more >> /etc/resolv.conf; ls /run/devenv';
      expect((await ask(container, script)).stdout).toMatch(/box[^]*init/);
      expect(readdirSync(source)).toEqual(['made']);
      untouched();
      await using build = await rig.begin();
      expect((await rig.step(build, layer, 'cat /etc/hosts; echo more >> /etc/resolv.conf')).exitCode).toBe(0);
      untouched();
    });

    test('whose links lead a mount over a part of /proc or /sys is refused (CVE-2025-52881)', async () => {
      const places = [
        { '/etc/hostname': '/proc/1/environ' },
        { '/run': '/proc/sys' },
        { '/run': '/proc/self' },
        { '/data': '/proc' },
        { '/data': '/sys/fs' },
      ];
      for (const links of places) {
        const layer = await imageWith(links);
        const mounts = [{ type: 'tmpfs' as const, target: '/data' }];
        await expect(rig.running({ layer, user: 'root', mounts })).rejects.toMatchObject({ code: 'BAD_VALUE' });
      }
      const content = join(rig.scratch, 'hostile-links');
      mkdirSync(content);
      symlinkSync('/proc', join(content, 'inner'));
      const nested = [
        { type: 'bind' as const, source: content, target: '/data', readonly: false },
        { type: 'tmpfs' as const, target: '/data/inner' },
      ];
      await expect(rig.running({ mounts: nested })).rejects.toMatchObject({ code: 'BAD_VALUE' });
      for (const target of ['/proc', '/proc/sys', '/dev', '/sys'])
        await expect(rig.running({ mounts: [{ type: 'tmpfs', target }] })).rejects.toMatchObject({ code: 'BAD_VALUE' });
    });

    test('that shares a folder with another container cannot turn its mounts to the outside while they are made', async () => {
      const shared = join(rig.scratch, 'hostile-raced');
      mkdirSync(join(shared, 'inner'), { recursive: true });
      symlinkSync(outside('folder'), join(shared, 'evil'));
      const racing = await rig.base((directory) => {
        addPerl(directory);
        writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
      });
      const mounts = [{ type: 'bind' as const, source: shared, target: '/data', readonly: false }];
      await using racer = await rig.running({ layer: racing, user: 'root', workdir: '/', mounts });
      const end = ask(racer, ['/usr/bin/perl', '-e', exchange]);
      for (let round = 0; round < 6; round++) {
        try {
          await using victim = await rig.running({
            user: 'root',
            workdir: '/',
            mounts: [...mounts, { type: 'tmpfs', target: '/data/inner' }],
          });
          expect(
            (await ask(victim, 'grep tmpfs /proc/self/mountinfo | cut -d" " -f5 | grep -v "^/\\(dev\\|proc\\|sys\\)"')).stdout,
          ).toMatch(
            /^\/data\/(inner|evil)\n$/, // by the time that we look, it may have the other name
          );
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(BAD_VALUE|RUNTIME_FAILED)$/) });
        }
        untouched();
      }
      await racer.stop({ graceSeconds: 0 });
      await end;
    });

    test('whose programs are the runtime itself cannot write to it (CVE-2019-5736)', async () => {
      const layer = await rig.base((directory) => {
        addPerl(directory);
        writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
        // The kernel follows scripts to their interpreter's interpreter: to what the process itself is, the runtime.
        writeFileSync(join(directory, 'bin/evil'), '#!/bin/middle\n', { mode: 0o755 });
        writeFileSync(join(directory, 'bin/middle'), '#!/proc/self/exe\n', { mode: 0o755 });
        symlinkSync('/proc/self/exe', join(directory, 'bin/me'));
      });
      await using container = await rig.running({ layer, user: 'root', workdir: '/' });
      const env = { PATH: '/usr/bin:/bin' };
      const before = runtimes();
      const watching = ask(container, ['perl', '-e', watch], { env });
      for (let round = 0; round < 6; round++)
        await Promise.allSettled(['/bin/evil', '/bin/me', '/bin/true'].map((program) => ask(container, [program], { env })));
      expect((await watching).stdout).toBe('');
      expect(runtimes()).toEqual(before);
      const { stdout } = await ask(
        container,
        '(echo > /run/devenv/init) 2>&1; (echo > /proc/1/exe) 2>&1; rm /run/devenv/init 2>&1; mv /run/devenv /x 2>&1',
      );
      expect(stdout.trim().split('\n')).toHaveLength(4);
      expect((await ask(container, '/run/devenv/init --version')).exitCode).toBe(0);
    });
  });
}

/** Lets a folder and a link change places (renameat2(2) with RENAME_EXCHANGE), as fast as it can. */
const exchange = `chdir '/data'; my ($one, $other) = ('inner', 'evil'); while (1) { syscall(316, -100, $one, -100, $other, 2) == 0 or die $! }`;

/** For two seconds: holds on to whatever program it sees and is not its own, and tries to write to it, also when it has ended. */
const watch = `
my ($end, %held) = (time + 2);
while (time < $end) {
  opendir my $proc, '/proc';
  for my $pid (grep /^\\d+$/, readdir $proc) {
    open my $program, '<', "/proc/$pid/exe" or next;
    my $name = readlink '/proc/self/fd/' . fileno $program;
    next if $name =~ m{/busybox$|/perl$|^/run/devenv/init$} || $held{$name};
    $held{$name} = $program;
  }
  for my $name (keys %held) { print "opened $name to write\\n" if open my $file, '+<', '/proc/self/fd/' . fileno $held{$name} }
}`;

/** The programs that run containers, by their content. */
function runtimes(): string[] {
  const paths = ['/usr/bin/crun', '/usr/bin/runc', '/usr/sbin/runc'].filter((path) => existsSync(path));
  return paths.map((path) => createHash('sha256').update(readFileSync(path)).digest('hex'));
}
