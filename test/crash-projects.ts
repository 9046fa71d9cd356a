import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import type { Machine } from './crash-rig.ts';
import { writeBusyboxTree } from './tiny-image.ts';

/** Steps, a volume, a port: something of everything that is made and has to go. */
export function writeProject(on: Machine, name: string): string {
  const folder = on.path('projects', name);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'busybox'), readFileSync('/bin/busybox'), { mode: 0o755 });
  }
  const work = 'mkdir /work; for i in $(seq 40); do echo $i > /work/$i; done; sleep 0.05; head -c 300000 /dev/zero > /work/zeros';
  write(folder, {
    image: 'scratch',
    steps: [
      { copy: 'busybox', to: '/bin/busybox', mode: '0755' },
      { run: ['/bin/busybox', '--install', '-s', '/bin'] },
      { name: 'work', run: work },
      { name: 'less', run: 'rm /work/7; mv /work/8 /work/9; chmod 700 /work; ln -s 10 /work/link' },
    ],
    ports: ['0:80'],
    mounts: [
      { type: 'volume', source: 'work', target: '/work' },
      { type: 'volume', source: 'cache', target: '/cache' },
    ],
  });
  return folder;
}

/** On the image of this address. */
export function writePulled(on: Machine, host: string, number: number): string {
  const folder = on.path('projects', `image${number}`);
  mkdirSync(folder, { recursive: true });
  write(folder, { image: `${host}/crash/image${number}:1`, steps: [{ run: 'echo 1 > /step' }] });
  return folder;
}

function write(folder: string, config: object): void {
  writeFileSync(join(folder, 'devenv.json'), JSON.stringify(config));
}

/** So many different ones with the same big layer, named crash/imageN:1. */
export function putImages(registry: RealRegistry, count: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-image-'));
  writeBusyboxTree(folder);
  const common = tarOf(folder, '.');
  rmSync(folder, { recursive: true });
  const many = manyFiles();
  for (let number = 0; number < count; number++) {
    const config = { env: { PATH: '/bin' } };
    const layers = [common, layerWith('number', String(number)), many];
    registry.put(`crash/image${number}`, '1', [{ platform: { os: 'linux', architecture: 'amd64' }, config, layers }]);
  }
}

function layerWith(name: string, content: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-layer-'));
  writeFileSync(join(folder, name), content);
  const tar = tarOf(folder, name);
  rmSync(folder, { recursive: true });
  return tar;
}

/** Takes some time to unpack. */
function manyFiles(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-layer-'));
  for (let number = 0; number < 800; number++) {
    mkdirSync(join(folder, `many/${number % 40}`), { recursive: true });
    writeFileSync(join(folder, `many/${number % 40}/${number}`), 'x'.repeat(number * 7));
  }
  const tar = tarOf(folder, 'many');
  rmSync(folder, { recursive: true });
  return tar;
}

function tarOf(folder: string, name: string): Buffer {
  return execFileSync('tar', ['-C', folder, '--numeric-owner', '--owner=0', '--group=0', '-cf', '-', name], { maxBuffer: 2 ** 28 });
}
