import { readFileSync } from 'node:fs';
import { UserError } from '../../base/errors.ts';
import type { Security } from '../engine.ts';

/** In the order of their numbers (linux/capability.h). */
const names =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/** What Docker gives a container (moby, oci/caps/defaults.go). */
export const defaultCapabilities: readonly string[] =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/**
 * The capabilities of a container, as Docker reads --cap-add and --cap-drop: `ALL` means all, additions win over `ALL`
 * dropped. @throws UserError BAD_VALUE for an unknown name, NOT_SUPPORTED for one that this host itself lacks.
 */
export function capabilitiesOf(security: Pick<Security, 'capAdd' | 'capDrop' | 'privileged'>): readonly string[] {
  const held = ownBoundingSet();
  if (security.privileged) return held;
  const [add, drop] = [security.capAdd.map(normalise), security.capDrop.map(normalise)];
  for (const name of add) {
    if (name !== 'ALL' && !held.includes(name))
      throw new UserError('NOT_SUPPORTED', `this host cannot give a container ${name}: it does not have it itself`);
  }
  const base = add.includes('ALL') ? held : drop.includes('ALL') ? [] : defaultCapabilities;
  const result = new Set([...base.filter((name) => !drop.includes(name)), ...add.filter((name) => name !== 'ALL')]);
  return held.filter((name) => result.has(name));
}

function normalise(given: string): string {
  const upper = given.toUpperCase();
  if (upper === 'ALL') return upper;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!names.includes(name)) throw new UserError('BAD_VALUE', `there is no capability ${JSON.stringify(given)}`);
  return name;
}

/** What we may hand on at most (capabilities(7), bounding set). */
function ownBoundingSet(): readonly string[] {
  const bits = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!}`);
  return names.filter((_, number) => (bits >> BigInt(number)) & 1n);
}
