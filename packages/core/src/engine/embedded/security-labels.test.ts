import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { appArmorFinding, selinuxFinding } from './label-findings.ts';
import { ociProcess } from './oci-process.ts';
import { mountLabel, securityLabels, securityModules, type HostFacts, type SecurityModules } from './security-labels.ts';

const contexts =
  'process = "system_u:system_r:container_t:s0"\ncontent = "system_u:object_r:virt_var_lib_t:s0"\nfile = "system_u:object_r:container_file_t:s0"\n';
const fedora = {
  'sys/fs/selinux/enforce': '1',
  'etc/selinux/config': 'SELINUX=enforcing\nSELINUXTYPE=targeted\n',
  'etc/selinux/targeted/contexts/lxc_contexts': contexts,
};
const ubuntu = {
  'sys/module/apparmor/parameters/enabled': 'Y\n',
  'sys/kernel/security/apparmor/profiles': 'docker-default (enforce)\n',
  'usr/sbin/apparmor_parser': '',
};

/** What is found on a machine with these files. */
function modulesWith(files: Readonly<Record<string, string>>, facts: Partial<HostFacts> = {}): SecurityModules {
  return withFiles(files, (root) => securityModules({ root, isRoot: true, dataLabel: undefined, ...facts }));
}

function withFiles<T>(files: Readonly<Record<string, string>>, use: (root: string) => T): T {
  const root = mkdtempSync(join(tmpdir(), 'devenv-labels-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return use(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('a machine without AppArmor and SELinux gives no labels', () => {
  const modules = modulesWith({ 'sys/module/apparmor/parameters/enabled': 'N\n' });
  expect(modules).toEqual({ apparmor: 'absent', selinux: { state: 'absent' } });
  expect(securityLabels(modules, 'box', false)).toEqual({});
});

test('with AppArmor a container has a profile, where root can load it or has', () => {
  const states = [ubuntu, { ...ubuntu, 'sys/kernel/security/apparmor/profiles': 'devenv-default (enforce)\n' }].map((files) =>
    modulesWith(files),
  );
  expect(states.map(({ apparmor }) => apparmor)).toEqual(['loadable', 'loaded']);
  for (const modules of states) expect(securityLabels(modules, 'box', false)).toEqual({ apparmorProfile: 'devenv-default' });
  expect(securityLabels(states[0]!, 'box', true)).toEqual({});
  const { 'usr/sbin/apparmor_parser': _none, ...bare } = ubuntu;
  expect([modulesWith(bare).apparmor, modulesWith(ubuntu, { isRoot: false }).apparmor]).toEqual(['no parser', 'not ours to load']);
  expect(securityLabels(modulesWith(ubuntu, { isRoot: false }), 'box', false)).toEqual({});
});

test('with SELinux processes and mounts have the types of the policy and two categories of the container', () => {
  const modules = modulesWith(fedora, { dataLabel: 'unconfined_u:object_r:container_file_t:s0' });
  const labels = securityLabels(modules, 'box', false);
  expect(labels.selinuxLabel).toMatch(/^system_u:system_r:container_t:s0:c\d+,c\d+$/);
  const [, first, second] = /c(\d+),c(\d+)$/.exec(labels.selinuxLabel!)!.map(Number);
  expect(first).toBeLessThan(second!);
  expect(withFiles(fedora, (root) => mountLabel(labels.selinuxLabel, root))).toBe(
    `system_u:object_r:container_file_t:s0:c${first},c${second}`,
  );
  expect(securityLabels(modules, 'box', false)).toEqual(labels);
  expect(new Set(Array.from({ length: 50 }, (_, index) => securityLabels(modules, `box-${index}`, false).selinuxLabel)).size).toBe(50);
  expect([securityLabels(modules, 'box', true), mountLabel(undefined)]).toEqual([{}, undefined]);
});

test('a store that containers could not read under their label leaves them without one', () => {
  const modules = modulesWith(fedora, { dataLabel: 'system_u:object_r:var_lib_t:s0' });
  expect(modules.selinux).toEqual({ state: 'store unlabelled', file: 'system_u:object_r:container_file_t:s0' });
  expect(securityLabels(modules, 'box', false)).toEqual({});
  expect(modulesWith({ 'sys/fs/selinux/enforce': '0' }).selinux).toEqual({ state: 'no policy' });
});

test('they are part of the process that the runtime is asked for, also by exec', () => {
  const user = { uid: 0, gid: 0, additionalGids: [], home: '/' };
  const labels = { apparmorProfile: 'devenv-default', selinuxLabel: 'system_u:system_r:container_t:s0:c1,c2' };
  expect(ociProcess({ args: [], env: {}, user, workdir: '/', capabilities: [], noNewPrivileges: false, labels })).toMatchObject(labels);
});

test('doctor says of each what holds containers, and how to have it', () => {
  const said = (modules: SecurityModules): unknown[] =>
    [appArmorFinding(modules), selinuxFinding(modules, '/var/lib/devenv')].map(({ ok, answer, fix }) => [ok, fix ?? answer]);
  expect(said(modulesWith({}))).toEqual([
    [true, expect.stringContaining('off')],
    [true, expect.stringContaining('off')],
  ]);
  expect(said(modulesWith({ 'sys/module/apparmor/parameters/enabled': 'Y', ...fedora }))).toEqual([
    [false, 'apt-get install apparmor'],
    [false, expect.stringContaining("semanage fcontext -a -t container_file_t '/var/lib/devenv(/.*)?'")],
  ]);
});
