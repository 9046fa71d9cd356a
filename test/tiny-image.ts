import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeLayout } from '../packages/core/src/registry/real-registry.suite.ts';

/** The smallest image that a shell runs in, as an OCI layout: a static busybox, and a greeting. */
export function writeBusyboxLayout(layout: string, greeting = 'hello'): void {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'devenv-busybox-'));
  writeBusyboxTree(root);
  writeFileSync(join(root, 'etc/greeting'), `${greeting}\n`);
  const tar = ['-C', root, '--numeric-owner', '--owner=0', '--group=0', '--mode=go=rX', '-cf', '-', '.'];
  const layer = execFileSync('tar', tar, { maxBuffer: 2 ** 28 });
  rmSync(root, { recursive: true });
  const config = { env: { PATH: '/bin', FROM: 'image' }, workdir: '/tmp' };
  writeLayout(layout, [{ platform: { os: 'linux', architecture: 'amd64' }, config, layers: [layer] }], 1);
}

/** Fills an empty folder with what a shell needs. */
export function writeBusyboxTree(root: string): void {
  for (const name of ['bin', 'etc', 'tmp', 'root']) mkdirSync(join(root, name));
  execFileSync('cp', ['/bin/busybox', join(root, 'bin/busybox')]);
  for (const name of ['sh', 'cat', 'echo', 'uname', 'sleep']) execFileSync('ln', ['-s', 'busybox', join(root, 'bin', name)]);
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
}
