import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readUse } from './resource-use.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devenv-cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (files: Readonly<Record<string, string>>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
};

test('a group of version 2 says what it uses and may use', () => {
  write({
    'user/box/memory.current': '104857600\n',
    'user/box/memory.stat': 'anon 1\ninactive_file 4857600\nactive_file 7\n',
    'user/box/memory.max': '268435456\n',
    'user/box/cpu.stat': 'usage_usec 2500000\nuser_usec 2000000\n',
    'user/box/cpu.max': '150000 100000\n',
    'user/box/pids.current': '7\n',
    'user/box/pids.max': '100\n',
  });
  expect(readUse('/user/box', root)).toEqual({
    memory: { bytes: 100_000_000, limit: 268_435_456 },
    cpu: { seconds: 2.5, limit: 1.5 },
    pids: { count: 7, limit: 100 },
  });
});

test('without limits there are none, in version 2', () => {
  write({
    'box/memory.current': '1000',
    'box/memory.max': 'max',
    'box/cpu.stat': 'usage_usec 0',
    'box/cpu.max': 'max 100000',
    'box/pids.current': '1',
    'box/pids.max': 'max',
  });
  expect(readUse('/box', root)).toEqual({ memory: { bytes: 1000 }, cpu: { seconds: 0 }, pids: { count: 1 } });
});

test('groups of version 1 say the same', () => {
  write({
    'memory/box/memory.usage_in_bytes': '104857600\n',
    'memory/box/memory.stat': 'cache 1\ntotal_inactive_file 4857600\n',
    'memory/box/memory.limit_in_bytes': '268435456\n',
    'cpuacct/box/cpuacct.usage': '2500000000\n',
    'cpu/box/cpu.cfs_quota_us': '150000\n',
    'cpu/box/cpu.cfs_period_us': '100000\n',
    'pids/box/pids.current': '7\n',
    'pids/box/pids.max': '100\n',
  });
  expect(readUse('/box', root)).toEqual({
    memory: { bytes: 100_000_000, limit: 268_435_456 },
    cpu: { seconds: 2.5, limit: 1.5 },
    pids: { count: 7, limit: 100 },
  });
  write({ 'memory/box/memory.limit_in_bytes': '9223372036854771712', 'cpu/box/cpu.cfs_quota_us': '-1', 'pids/box/pids.max': 'max' });
  expect(readUse('/box', root)).toEqual({ memory: { bytes: 100_000_000 }, cpu: { seconds: 2.5 }, pids: { count: 7 } });
});

test('a group that does not exist says nothing', () => {
  expect([readUse('/box', root), readUse(undefined, root)]).toEqual([{}, {}]);
});
