import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { mount, mountFlags } from '../../base/system-calls.ts';

/** As little as was found to be enough inside a container, beside a data directory that is not on an overlay. */
export const outerContainerFix: string =
  'docker run --privileged; at least: --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined --device /dev/net/tun';

/** Whether we seem to be inside a container ourselves, as in a job of continuous integration. */
export function isInsideContainer(): boolean {
  const marks = ['/.dockerenv', '/run/.containerenv', '/run/devenv/init'];
  if (marks.some((path) => existsSync(path)) || process.env['KUBERNETES_SERVICE_HOST'] !== undefined) return true;
  try {
    return /(?:^|\0)container=/.test(readFileSync('/proc/1/environ', 'latin1')) || isOverlay('/');
  } catch {
    return isOverlay('/');
  }
}

export function isOverlay(path: string): boolean {
  const overlay = 0x794c7630; // OVERLAYFS_SUPER_MAGIC
  return statfsSync(path).type === overlay;
}

const needed = { CAP_NET_ADMIN: 12, CAP_SYS_CHROOT: 18, CAP_SYS_ADMIN: 21, CAP_MKNOD: 27, CAP_SETFCAP: 31 } as const;

/** Capabilities that the engine needs and this process lacks (capabilities(7)). */
export function missingCapabilities(): readonly string[] {
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!}`);
  return Object.entries(needed).flatMap(([name, number]) => ((bits >> BigInt(number)) & 1n ? [] : [name]));
}

/** Whether a filter of system calls lies over this process (proc_pid_status(5)). */
export function isFiltered(): boolean {
  return /^Seccomp:\s*2/m.test(readFileSync('/proc/self/status', 'utf8'));
}

/**
 * A container that is not privileged has the kernel's settings and its control groups mounted read-only. Who may mount may
 * undo that, here in our own mount namespace only: containers are made from it and get their own, read-only as ever.
 */
export function openReadonlyMounts(): void {
  for (const line of readFileSync('/proc/thread-self/mountinfo', 'utf8').split('\n')) {
    const [, , , , point = '', options = ''] = line.split(' ');
    if (point !== '/proc/sys' && point !== '/sys/fs/cgroup' && !point.startsWith('/sys/fs/cgroup/')) continue;
    if (!options.split(',').includes('ro')) continue;
    try {
      const { remount, bind, nosuid, nodev, noexec } = mountFlags;
      mount('none', point, null, remount | bind | nosuid | nodev | noexec, null);
    } catch {
      // Not ours to change; the runtime says what it misses.
    }
  }
}
