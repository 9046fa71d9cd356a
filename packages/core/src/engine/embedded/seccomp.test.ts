import { expect, test } from 'vitest';
import { defaultCapabilities } from './capabilities.ts';
import { swapped } from './idmap.ts';
import { seccompFilter, type SeccompFilter } from './seccomp.ts';

function actions(filter: SeccompFilter | undefined, call: string): string[] {
  return filter!.syscalls
    .filter(({ names }) => names.includes(call))
    .map(({ action, errnoRet, args }) => [action, errnoRet, args?.length].filter((part) => part !== undefined).join(' '));
}

test('without CAP_SYS_ADMIN neither mounts nor new namespaces are allowed, and clone3 is unknown', () => {
  const filter = seccompFilter('default', defaultCapabilities);
  expect(['mount', 'unshare', 'setns', 'bpf', 'keyctl', 'io_uring_setup'].flatMap((call) => actions(filter, call))).toEqual(
    Array(6).fill('SCMP_ACT_ERRNO 1'),
  );
  expect(actions(filter, 'clone3')).toEqual(['SCMP_ACT_ERRNO 38']);
  expect(actions(filter, 'clone')).toEqual([...Array<string>(7).fill('SCMP_ACT_ERRNO 1 1'), 'SCMP_ACT_ALLOW 1']);
  expect(actions(filter, 'chroot')).toEqual(['SCMP_ACT_ALLOW']);
});

test('with it they are', () => {
  const filter = seccompFilter('default', [...defaultCapabilities, 'CAP_SYS_ADMIN']);
  expect(['mount', 'unshare', 'clone', 'clone3'].flatMap((call) => actions(filter, call))).toEqual(Array(4).fill('SCMP_ACT_ALLOW'));
});

test('no socket to the hypervisor is allowed, and one to the audit log only with its capability', () => {
  expect(actions(seccompFilter('default', defaultCapabilities), 'socket')).toEqual([
    'SCMP_ACT_ERRNO 1 1',
    'SCMP_ACT_ALLOW 1',
    'SCMP_ACT_ALLOW 1',
  ]);
  expect(actions(seccompFilter('default', []), 'socket')).toEqual([
    'SCMP_ACT_ERRNO 1 1',
    'SCMP_ACT_ALLOW 2',
    'SCMP_ACT_ALLOW 2',
    'SCMP_ACT_ALLOW 1',
  ]);
});

test('unconfined is no filter, and a profile that is not there or no profile is refused', () => {
  expect(seccompFilter('unconfined', [])).toBeUndefined();
  expect(() => seccompFilter('/nowhere.json', [])).toThrow(/does not exist/);
  expect(() => seccompFilter('/etc/passwd', [])).toThrow(/not in Docker's format/);
});

test('exchanging two ids is a permutation of all of them', () => {
  expect(swapped(1000, 0)).toBe('0 1000 1\n1 1 999\n1000 0 1\n1001 1001 4294966294\n');
  expect(swapped(7, 7)).toBe('0 0 4294967295\n');
});
