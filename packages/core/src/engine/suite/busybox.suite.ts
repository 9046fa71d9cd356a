import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A root directory with the tools of Debian's busybox, which needs no library: downloaded once per machine. */
export function fillBusybox(directory: string): void {
  for (const name of ['bin', 'etc', 'root', 'tmp', 'home']) mkdirSync(join(directory, name));
  chmodSync(join(directory, 'tmp'), 0o1777);
  cpSync(busybox(), join(directory, 'bin/busybox'));
  const names = execFileSync(join(directory, 'bin/busybox'), ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of names) if (name !== 'busybox') symlinkSync('busybox', join(directory, 'bin', name));
  writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\n');
}

function busybox(): string {
  const installed = '/bin/busybox';
  if (existsSync(installed) && execFileSync('file', ['-L', installed], { encoding: 'utf8' }).includes('static')) return installed;
  const kept = join(tmpdir(), 'devenv-test-busybox');
  if (existsSync(kept)) return kept;
  const folder = mkdtempSync(join(tmpdir(), 'devenv-busybox-'));
  chmodSync(folder, 0o777); // apt downloads as a user of its own
  try {
    execFileSync('apt-get', ['download', '-q', 'busybox-static'], { cwd: folder, stdio: 'pipe' });
    execFileSync('dpkg-deb', ['-x', readdirSync(folder)[0]!, 'x'], { cwd: folder });
    renameSync(join(folder, 'x/bin/busybox'), kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return kept;
}
