import { existsSync, statSync } from 'node:fs';
import { isMissing } from '../../base/files.ts';
import { findProgram } from './programs.ts';

/** Reads a file of the machine; undefined when there is none. */
export type Read = (path: string) => string | undefined;

/** Why this machine makes no user namespace for a normal user; undefined when nothing is known to refuse it. */
export function whyNoNamespace(read: Read): { readonly answer: string; readonly fix: string } | undefined {
  const value = (name: string): string | undefined => tryRead(read, `/proc/sys/${name}`)?.trim();
  if (value('user/max_user_namespaces') === '0')
    return {
      answer: 'user namespaces are turned off (user.max_user_namespaces = 0)',
      fix: 'sudo sysctl -w user.max_user_namespaces=65536',
    };
  if (value('kernel/unprivileged_userns_clone') === '0')
    return {
      answer: 'user namespaces are for root only (kernel.unprivileged_userns_clone = 0)',
      fix: 'sudo sysctl -w kernel.unprivileged_userns_clone=1',
    };
  if (value('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return {
      answer: 'AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1, as Ubuntu 23.10 and later have it)',
      fix: 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give unshare a profile with "userns," in /etc/apparmor.d',
    };
  const tool = ['newuidmap', 'newgidmap'].find((name) => findProgram(name) === undefined);
  if (tool) return { answer: `${tool} is not installed`, fix: 'apt-get install uidmap' };
  const weak = ['newuidmap', 'newgidmap']
    .map((name) => findProgram(name)!)
    .find((path) => (statSync(path).mode & 0o4000) === 0 && !existsSync('/etc/fedora-release'));
  if (weak) return { answer: `${weak} is not set-user-ID, nor may it have the capability that it needs`, fix: `sudo chmod u+s ${weak}` };
  return undefined;
}

/** As `read`, also of what we may not read. */
export function tryRead(read: Read, path: string): string | undefined {
  try {
    return read(path);
  } catch (error) {
    if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    throw error;
  }
}
