import { expect, test } from 'vitest';
import { probeRuntimeVersion, probeSecurityModules } from './probe-user.ts';
import { rangeIn } from './subordinate-ids.ts';
import { whyNoNamespace } from './why-no-namespace.ts';

const machine =
  (files: Readonly<Record<string, string>>) =>
  (path: string): string | undefined =>
    files[path];

test.each([
  ['/proc/sys/user/max_user_namespaces', '0\n', 'user.max_user_namespaces'],
  ['/proc/sys/kernel/unprivileged_userns_clone', '0\n', 'kernel.unprivileged_userns_clone'],
  ['/proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1\n', 'kernel.apparmor_restrict_unprivileged_userns'],
])('a machine that refuses user namespaces by %s is told from others, with the way out', (file, content, setting) => {
  const reason = whyNoNamespace(machine({ [file]: content }));
  expect(reason?.answer).toContain(setting);
  expect(reason?.fix).toContain('sudo sysctl');
});

test('a machine that refuses nothing has no reason', () => {
  expect(whyNoNamespace(machine({ '/proc/sys/user/max_user_namespaces': '1000\n' }))).toBeUndefined();
});

test('SELinux is named when it enforces, AppArmor when it is there', () => {
  expect(probeSecurityModules(machine({ '/sys/fs/selinux/enforce': '1' }))).toMatchObject({
    ok: false,
    answer: expect.stringContaining('SELinux') as string,
  });
  expect(probeSecurityModules(machine({ '/sys/fs/selinux/enforce': '0', '/sys/kernel/security/lsm': 'capability,apparmor' }))).toEqual({
    ok: true,
    answer: 'AppArmor',
  });
});

test.each([
  ['runc version 1.1.5+ds1', false],
  ['runc version 1.1.12', false],
  ['runc version 1.2.8', true],
  ['runc version 1.3.0', true],
  ['crun version 1.8.1', true],
  ['crun version 1.4.3', false],
])('%s: without known holes is %s', (text, ok) => {
  expect(probeRuntimeVersion(text).ok).toBe(ok);
});

test('the longest range of subordinate ids counts, of at most 65536, by name or number', () => {
  const text = 'ada:100000:1000\n1001:300000:70000\nbob:200000:65536\n';
  expect([rangeIn(text, ['ada', '1001']), rangeIn(text, ['bob', '7']), rangeIn(text, ['eve', '8'])]).toEqual([
    { first: 300000, count: 65536 },
    { first: 200000, count: 65536 },
    undefined,
  ]);
});
