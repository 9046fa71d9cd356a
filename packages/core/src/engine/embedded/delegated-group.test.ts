import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findDelegated } from './delegated-group.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'devenv-groups-'))));
afterEach(() => rmSync(root, { recursive: true }));

/** Id 0 stands for the user in their namespace, 65534 for root of the machine. */
function group(path: string, owner: 'ours' | 'theirs', controllers = ''): void {
  mkdirSync(join(root, path), { recursive: true });
  for (const [file, text] of [['cgroup.procs', ''], ['cgroup.subtree_control', controllers]] as const) writeFileSync(join(root, path, file), text); // prettier-ignore
  if (owner === 'theirs') chownSync(join(root, path), 65534, 65534);
}

test('in version 2 it is the highest group that is ours and hands the controllers down', () => {
  group('user.slice', 'theirs', 'cpu memory pids');
  group('user.slice/user@1.service', 'ours', 'cpu memory pids');
  group('user.slice/user@1.service/app.slice', 'ours', 'cpu memory pids');
  group('user.slice/user@1.service/app.slice/terminal.scope', 'ours');
  expect(findDelegated('0::/user.slice/user@1.service/app.slice/terminal.scope\n', root)).toBe('/user.slice/user@1.service');
});

test('a group that hands down too few controllers is none, nor is one of the machine', () => {
  group('user@1.service', 'ours', 'memory pids');
  group('user@1.service/session', 'ours');
  group('session-2.scope', 'theirs', 'cpu memory pids');
  expect([
    findDelegated('0::/user@1.service/session\n', root),
    findDelegated('0::/session-2.scope\n', root),
    findDelegated('', root),
  ]).toEqual([undefined, undefined, undefined]);
});

test('in version 1 the path has to be ours in the hierarchy of each controller', () => {
  const memberships = '3:memory:/ada\n2:pids:/ada\n1:cpu,cpuacct:/ada\n0::/\n';
  for (const controller of ['memory', 'pids']) group(`${controller}/ada`, 'ours');
  expect(findDelegated(memberships, root)).toBeUndefined();
  group('cpu/ada', 'ours');
  expect(findDelegated(memberships, root)).toBe('/ada');
  expect(findDelegated(memberships.replace('pids:/ada', 'pids:/bob'), root)).toBeUndefined();
});
