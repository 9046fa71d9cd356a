import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { enterMountNamespace } from '../../base/system-calls.ts';
import { makeMountPointInside } from './mount-point.ts';

test('a folder that is read-only is named, with the mount point that it lacks', () => {
  enterMountNamespace(); // what is mounted here ends with this process
  const content = mkdtempSync(join(tmpdir(), 'devenv-mount-point-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'ws', content]);
    mkdirSync(join(content, 'here'));
    execFileSync('mount', ['-o', 'remount,ro', content]);
    const outer = { target: '/workspace', content };
    expect(() => makeMountPointInside(outer, '/workspace/here', 'directory')).not.toThrow();
    expect(() => makeMountPointInside(outer, '/workspace/out', 'directory')).toThrow(
      expect.objectContaining({
        code: 'NOT_WRITABLE',
        message: `The folder ${content} is read-only: the mount point of /workspace/out cannot be made in it.`,
        hint: `Make the directory ${content}/out where the folder can be written, or make the folder writable.`,
      }),
    );
    execFileSync('umount', [content]);
    makeMountPointInside(outer, '/workspace/out', 'directory');
    expect(existsSync(join(content, 'out'))).toBe(true);
  } finally {
    rmSync(content, { recursive: true, force: true });
  }
});
