import { readText } from '../../base/files.ts';
import { idMapping } from '../../base/user-namespace.ts';
import { delegatedGroup } from './delegated-group.ts';
import { accountName, subordinateIds } from './subordinate-ids.ts';
import { tryRead, whyNoNamespace, type Read } from './why-no-namespace.ts';

/** What a probe found, and what to do when it is not good. */
export interface Finding {
  readonly ok: boolean;
  readonly answer: string;
  readonly fix?: string;
}

/** Root of the machine, or a normal user: then as whom the engine's work is done. */
export function probeUser(): Finding {
  const { kind, user, count } = idMapping();
  if (process.getuid?.() !== 0) {
    const reason = whyNoNamespace(readText) ?? { answer: 'a user namespace could not be made' };
    return { ok: false, ...reason, answer: `a normal user, and ${reason.answer}` };
  }
  if (kind === 'machine') return { ok: true, answer: 'root' };
  if (kind === 'foreign') return { ok: true, answer: `root of a namespace with ${count} ids` };
  if (kind === 'range') return { ok: true, answer: `uid ${user.uid}, as root of a namespace with ${count - 1} subordinate ids` };
  return {
    ok: true,
    answer: `uid ${user.uid}, in single-id mode: everybody inside is root, so chown, su, useradd and apt's own user fail`,
  };
}

/** More ids than one's own: without them all is still possible that needs one user. */
export function probeSubordinateIds(): Finding {
  const { kind, user } = idMapping();
  const account = accountName(user.uid);
  const name = account ?? String(user.uid);
  const give =
    account === undefined
      ? `echo ${name}:100000:65536 | sudo tee -a /etc/subuid /etc/subgid`
      : `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}`;
  const fix = `${give} (any 65536 ids that nobody has), then devenv down everywhere`;
  if (kind === 'range') return { ok: true, answer: '/etc/subuid and /etc/subgid' };
  if (kind === 'single' && subordinateIds(user.uid))
    return { ok: false, answer: 'given since this namespace was made', fix: 'devenv down everywhere, or log out and in' };
  if (kind !== 'single' && subordinateIds(user.uid)) return { ok: true, answer: '/etc/subuid and /etc/subgid' };
  return { ok: false, answer: `none for ${name} in /etc/subuid and /etc/subgid: only the single-id mode is possible`, fix };
}

/** Whether limits can be kept: always for root, for a normal user where control groups are delegated. */
export function probeDelegation(): Finding {
  if (delegatedGroup() !== undefined)
    return { ok: true, answer: delegatedGroup() === '' ? 'all' : `${delegatedGroup()} is delegated to you` };
  return {
    ok: false,
    answer: 'none are delegated to you here: limits of memory, CPU and processes are not kept',
    fix: 'systemd-run --user --scope devenv up; for every session: systemctl edit user@.service with [Service] Delegate=cpu memory pids',
  };
}

/** Security modules that can refuse what the engine does. */
export function probeSecurityModules(read: Read = readText): Finding {
  const modules = tryRead(read, '/sys/kernel/security/lsm')?.trim().split(',') ?? [];
  const enforcing = tryRead(read, '/sys/fs/selinux/enforce')?.trim() === '1';
  const appArmor = tryRead(read, '/sys/module/apparmor/parameters/enabled')?.trim() === 'Y' || modules.includes('apparmor');
  if (enforcing)
    return {
      ok: false,
      answer: 'SELinux is enforcing: it can keep a container from what is mounted into it',
      fix: 'chcon -R -t container_file_t on the folder when a mounted file gives "Permission denied" (ausearch -m avc shows it)',
    };
  return { ok: true, answer: appArmor ? 'AppArmor' : 'neither AppArmor nor SELinux is in force' };
}

/** Releases that are known to let a container out, when a distribution has not mended them in an older number. */
const vulnerable: readonly { readonly name: string; readonly below: readonly number[]; readonly what: string }[] = [
  { name: 'runc', below: [1, 1, 12], what: 'CVE-2024-21626' },
  { name: 'runc', below: [1, 2, 8], what: 'CVE-2025-31133, CVE-2025-52565, CVE-2025-52881' },
  { name: 'crun', below: [1, 4, 4], what: 'CVE-2022-27650' },
];

/** `text`: the first line of `--version`. */
export function probeRuntimeVersion(text: string): Finding {
  const [, name, version] = /^(\w+) version (\d+(?:\.\d+)+)/.exec(text) ?? [];
  if (!name || !version) return { ok: true, answer: text || 'unknown' };
  const numbers = version.split('.').map(Number);
  const holes = vulnerable.filter((entry) => entry.name === name && isBelow(numbers, entry.below)).map(({ what }) => what);
  if (holes.length === 0) return { ok: true, answer: `${name} ${version} has no hole that is known here` };
  return {
    ok: false,
    answer: `${name} ${version} has ${holes.join(', ')}, unless your distribution has mended it under this number`,
    fix: `apt-get install --only-upgrade ${name}; apt-get changelog ${name} names what was mended`,
  };
}

function isBelow(version: readonly number[], bound: readonly number[]): boolean {
  for (const [index, wanted] of bound.entries()) {
    const number = version[index] ?? 0;
    if (number !== wanted) return number < wanted;
  }
  return false;
}
