import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDocker, type Docker } from '../packages/core/src/engine/embedded/docker.suite.ts';
import { writeLayout } from '../packages/core/src/registry/real-registry.suite.ts';
import { makeEmptyRig, type Rig } from './rig.ts';

/** With all of the programs it takes minutes. */
const isFull = process.env['DEVENV_TEST_FULL'] === '1';

let rig: Rig;
let imageId: string;
let diffIds: readonly string[];
/** The part of the tree that is compared, as GNU tar lists it. */
let expected: readonly string[];

const at = (name: string): string => join(rig.base, name);
const call = async (program: string, ...args: string[]): Promise<string> =>
  (await promisify(execFile)(program, args, { maxBuffer: 2 ** 28 })).stdout;

beforeAll(async () => {
  rig = await makeEmptyRig();
  const layers = makeLayers(at('trees'));
  const config = { env: { PATH: '/bin', A: 'b' }, command: ['busybox', 'sleep', '1000'], labels: { note: 'yes' } };
  writeLayout(at('source'), [{ platform: { os: 'linux', architecture: 'amd64' }, config, layers }], 1);
  diffIds = layers.map((layer) => `sha256:${createHash('sha256').update(layer).digest('hex')}`);
  await call('skopeo', 'copy', '-q', `oci:${at('source')}:image`, `docker-archive:${at('skopeo.tar')}:tricky:1`);
  const loaded = await rig.ok(['load', at('skopeo.tar'), '--json']);
  imageId = (loaded.json['images'] as { id: string }[])[0]!.id;
  await rig.ok(['run', '-d', '--name', 'tricky', 'tricky:1'], { cwd: rig.base });
  await rig.ok(['export', 'tricky', '-o', at('ours.tar')]);
  await rig.ok(['rm', '-f', 'tricky']);
  expected = listed(at('ours.tar'));
  for (const [format, name] of [['docker-archive', 'docker.tar'], ['oci-archive', 'oci.tar'], ['oci-layout', 'layout']] as const)
    await rig.ok(['save', '--format', format, '-o', at(name), 'tricky:1']); // prettier-ignore
});
afterAll(() => rig[Symbol.asyncDispose]());

test('the tree is what its layers say: owners, modes, times, links, devices, capabilities, whiteouts, opaque folders', () => {
  expect(expected).toEqual([
    'drwxr-xr-x 0/0 0 2020-09-13 12:26:40 data/',
    expect.stringMatching(/^-rwxr-xr-x\* 0\/0 \d+ 2014-05-13 16:53:20 data\/able x: 20 security\.capability$/),
    'lrwxrwxrwx 0/0 0 2014-05-13 16:53:20 data/absolute -> /data/plain',
    '-rw-r--r-- 5/6 6 2020-09-13 12:26:40 data/changed',
    'drwxrwxrwt 0/0 0 2017-07-14 02:40:00 data/deep/',
    '-rw-r--r-- 0/0 5 2014-05-13 16:53:20 data/deep/kept',
    'brw-r--r-- 0/0 7,9 2014-05-13 16:53:20 data/disk',
    'prw-r--r-- 0/0 0 2014-05-13 16:53:20 data/fifo',
    '-rw-r--r-- 0/0 6 2017-07-14 02:40:00 data/hard',
    'lrwxrwxrwx 0/0 0 2001-09-09 01:46:40 data/link -> ../etc/none',
    `-rw-r--r-- 0/0 0 2014-05-13 16:53:20 data/${'n'.repeat(120)}`,
    'crw-r--r-- 0/0 1,3 2014-05-13 16:53:20 data/null',
    '-rw-r--r-- 0/0 0 1970-01-01 00:00:01 data/old',
    'drwxr-xr-x 0/0 0 2020-09-13 12:26:40 data/opaque/',
    '-rw-r--r-- 0/0 4 2020-09-13 12:26:40 data/opaque/new',
    '-rw-r--r-- 3000000/3000001 6 2014-05-13 16:53:20 data/owned',
    'hrw-r--r-- 0/0 0 2017-07-14 02:40:00 data/plain link to data/hard',
    '-rw-r--r-- 0/0 1048580 2014-05-13 16:53:20 data/sparse',
    '-rwsr-xr-x 1000/2000 5 2014-05-13 16:53:20 data/suid',
    '-rw-r--r-- 0/0 0 2014-05-13 16:53:20 data/with space \\303\\251',
  ]);
});

test('skopeo and umoci read what we write, with our digests and every file, and we read what umoci writes', async () => {
  for (const form of [`docker-archive:${at('docker.tar')}:tricky:1`, `oci-archive:${at('oci.tar')}:1`, `oci:${at('layout')}:1`]) {
    const config = JSON.parse(await call('skopeo', 'inspect', '--config', form)) as { rootfs: { diff_ids: string[] } };
    expect([form, config.rootfs.diff_ids]).toEqual([form, diffIds]);
  }
  await call('umoci', 'unpack', '--image', `${at('layout')}:1`, at('bundle'));
  await call('tar', '--xattrs', '--numeric-owner', '-C', at('bundle/rootfs'), '--sort=name', '-cf', at('umoci.tar'), '.');
  expect(listed(at('umoci.tar'))).toEqual(expected);

  writeFileSync(at('bundle/rootfs/data/added'), 'by umoci\n');
  rmSync(at('bundle/rootfs/data/plain'));
  await call('umoci', 'repack', '--image', `${at('layout')}:changed`, at('bundle'));
  await rig.ok(['load', at('layout')]);
  const { stdout } = await rig.ok(['run', '--image', 'changed', 'busybox', 'sh', '-c', 'busybox cat /data/added; busybox ls /data/plain || echo gone'], { cwd: rig.base }); // prettier-ignore
  expect(stdout).toBe('by umoci\ngone\n');
  await sameAgain('changed', async (archive) =>
    call('skopeo', 'copy', '-q', `oci:${at('layout')}:changed`, `docker-archive:${archive}:x:1`),
  );
});

if (isFull)
  describe('with engines', () => {
    const podman = (...args: string[]): Promise<string> =>
      call('podman', '--root', at('podman'), '--runroot', at('podman-run'), '--storage-driver', 'vfs', ...args);
    const buildah = (...args: string[]): Promise<string> =>
      call('buildah', '--root', at('buildah'), '--runroot', at('buildah-run'), '--storage-driver', 'vfs', ...args);

    test('podman loads what we save, and we load what podman saves: the same image, byte for byte', async () => {
      for (const archive of ['docker.tar', 'oci.tar']) {
        await podman('load', '-q', '-i', at(archive));
        const ids = await podman('images', '--no-trunc', '--format', '{{.ID}}');
        expect([archive, new Set(ids.trim().split('\n'))]).toEqual([archive, new Set([imageId])]);
      }
      await podman('create', '--name', 'it', imageId.slice(7));
      await podman('export', '-o', at('podman.tar'), 'it');
      expect(listed(at('podman.tar'))).toEqual(expected);
      for (const format of ['docker-archive', 'oci-archive']) {
        const file = at(`podman-${format}.tar`);
        await podman('save', '-q', '--format', format, '-o', file, imageId.slice(7));
        await loadedAsIs(file);
      }
    });

    test('buildah takes what we save, and what it commits we read', async () => {
      const container = (await buildah('from', '--pull=never', `oci-archive:${at('oci.tar')}:1`)).trim().split('\n').at(-1)!;
      await buildah('config', '--env', 'BY=buildah', container);
      await buildah('commit', '-q', container, `oci-archive:${at('buildah.tar')}:built:1`);
      const { images } = (await rig.ok(['load', at('buildah.tar'), '--json'])).json as { images: { names: string[] }[] };
      const name = images[0]!.names[0]!;
      expect((await rig.ok(['run', '--image', name, 'busybox', 'sh', '-c', 'echo $BY $A'], { cwd: rig.base })).stdout).toBe('buildah b\n');
    });

    test('Docker loads and runs what we save, and we load what docker saves: the same image, the same output', async () => {
      mkdirSync(at('empty'));
      const folder = mkdtempSync('/tmp/devenv-docker-'); // a socket's path is short
      const docker: Docker = await startDocker(join(folder, 'd'), at('empty'));
      try {
        await docker.call(['load', '-i', at('docker.tar')]);
        expect((await docker.call(['image', 'inspect', '--format', '{{.Id}}', 'tricky:1'])).trim()).toBe(imageId);
        const command = ['busybox', 'sh', '-c', 'echo $A; busybox stat -c "%a %u %n" /data/*'];
        const theirs = await docker.call(['run', '--rm', '--network', 'none', 'tricky:1', ...command]);
        expect((await rig.ok(['run', '--image', 'tricky:1', ...command], { cwd: rig.base })).stdout).toBe(theirs);
        const id = (await docker.call(['create', '--network', 'none', 'tricky:1'])).trim();
        await docker.call(['export', '-o', at('dockers-tree.tar'), id]);
        expect(listed(at('dockers-tree.tar'))).toEqual(expected);
        await docker.call(['save', '-o', at('docker-saved.tar'), 'tricky:1']);
        await loadedAsIs(at('docker-saved.tar'));
      } finally {
        await docker[Symbol.asyncDispose]();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });

/** Another machine that loads the file has the image, and would save the very bytes that we do. */
async function loadedAsIs(file: string): Promise<void> {
  await using other = await makeEmptyRig();
  const { images } = (await other.ok(['load', file, '--json'])).json as { images: { id: string }[] };
  expect([file, images[0]!.id]).toEqual([file, imageId]);
  await other.ok(['save', '-o', join(other.base, 'again.tar'), imageId.slice(7)]);
  expect(layersIn(join(other.base, 'again.tar'))).toEqual(layersIn(at('docker.tar')));
}

/** What we save of an image has the layers that skopeo makes of its source. */
async function sameAgain(name: string, theirs: (archive: string) => Promise<string>): Promise<void> {
  await rig.ok(['save', '-o', at('mine.tar'), name]);
  await theirs(at('theirs.tar'));
  expect(layersIn(at('mine.tar'))).toEqual(layersIn(at('theirs.tar')));
}

function layersIn(archive: string): readonly string[] {
  const [image] = JSON.parse(execFileSync('tar', ['-xOf', archive, 'manifest.json'], { encoding: 'utf8' })) as [{ Layers: string[] }];
  return image.Layers.map((layer) =>
    createHash('sha256')
      .update(execFileSync('tar', ['-xOf', archive, layer], { maxBuffer: 2 ** 28 }))
      .digest('hex'),
  );
}

/** Below `data`, in order, with attributes. */
function listed(archive: string): readonly string[] {
  const args = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--full-time', '-tvvf', archive];
  const lines = execFileSync('tar', args, { encoding: 'utf8', env: { TZ: 'UTC', PATH: process.env['PATH'] } }).split('\n');
  const entries: string[] = [];
  for (const line of lines) {
    const normal = line
      .replaceAll(' ./', ' ')
      .replaceAll(/ +/g, ' ')
      .replace(/(\d\d:\d\d:\d\d)\.\d+/, '$1');
    if (/ data\//.test(normal)) entries.push(normal.trim());
    else if (/^ +x: /.test(line) && entries.length > 0) entries[entries.length - 1] += normal;
  }
  return entries.toSorted((a, b) => (a.slice(a.indexOf(' data')) < b.slice(b.indexOf(' data')) ? -1 : 1));
}

/** Two layers with everything that is hard. */
function makeLayers(folder: string): Buffer[] {
  const script = `
    set -e; umask 022; mkdir -p lower/bin lower/data/opaque lower/data/deep lower/dev lower/tmp upper/data/opaque
    cp /bin/busybox lower/bin/busybox
    cd lower/data
    echo plain > plain; echo gone > gone; echo old > opaque/old; echo kept > deep/kept
    echo suid > suid; chown 1000:2000 suid; chmod 4755 suid; chmod 1777 deep
    echo owned > owned; chown 3000000:3000001 owned
    ln plain hard; ln -s ../etc/none link; ln -s /data/plain absolute
    mknod null c 1 3; mknod disk b 7 9; mkfifo fifo
    cp /bin/true able; setcap cap_net_raw+ep able
    touch ${'n'.repeat(120)}; touch 'with space é'
    echo changed > changed
    truncate -s 1M sparse; echo end >> sparse
    find . -exec touch -h -d @1400000000 {} +; touch -d @1.5 old; touch -h -d @1000000000 link; touch -d @1500000000.25 plain deep .
    cd ../../upper/data; : > .wh.gone; : > opaque/.wh..wh..opq; echo new > opaque/new; echo later > changed
    chown 5:6 changed; touch -d @1600000000 changed opaque/new opaque .
  `;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  execFileSync('sh', ['-c', script], { cwd: folder, stdio: 'pipe' });
  const tar = (tree: string, ...args: string[]): Buffer => {
    execFileSync('tar', ['--numeric-owner', ...args, '-C', join(folder, tree), '-cf', join(folder, `${tree}.tar`), '.']);
    return readFileSync(join(folder, `${tree}.tar`));
  };
  // Not --sparse: Docker, podman and buildah take in such a layer, and cannot write it out again.
  return [tar('lower', '--format=posix', '--xattrs'), tar('upper', '--format=gnu')];
}
