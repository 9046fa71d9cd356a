import { didYouMean } from '../base/did-you-mean.ts';
import type { Config } from './config.ts';
import type { Members } from './members.ts';
import { hostPath, type PathBase } from './paths.ts';

export function readSecurity(root: Members, base: PathBase): Config['security'] {
  const security = root.object('security');
  return {
    capAdd: capabilityNames(security, 'capAdd'),
    capDrop: capabilityNames(security, 'capDrop'),
    seccomp: seccomp(security, base),
    noNewPrivileges: security.flag('noNewPrivileges', false),
    readonlyRoot: security.flag('readonlyRoot', false),
    privileged: security.flag('privileged', false),
  };
}

/** As the OCI runtime spells them (`CAP_SYS_PTRACE`), or `ALL`; sorted, each once. */
function capabilityNames(security: Members, name: string): readonly string[] {
  const names = security.strings(name).map((node) => {
    const short = node.value.toUpperCase().replace(/^CAP_/, '');
    if (short === 'ALL') return 'ALL';
    if (!capabilities.includes(short)) {
      security.problems.add(
        'BAD_VALUE',
        node,
        `There is no capability ${JSON.stringify(node.value)}.`,
        didYouMean(short, capabilities) ?? 'they are listed in capabilities(7)',
      );
    }
    return `CAP_${short}`;
  });
  return [...new Set(names)].toSorted();
}

function seccomp(security: Members, base: PathBase): string {
  const node = security.string('seccomp');
  if (!node) return 'default';
  if (node.value === 'default' || node.value === 'unconfined') return node.value;
  if (node.value.includes('/') || node.value.endsWith('.json')) return hostPath(node, base, security.problems);
  security.problems.add(
    'BAD_VALUE',
    node,
    `There is no filter ${JSON.stringify(node.value)}.`,
    didYouMean(node.value, ['default', 'unconfined']) ?? 'default, unconfined, or a path such as ./seccomp.json',
  );
  return node.value;
}

/** capabilities(7), Linux 5.9 and later. */
const capabilities: readonly string[] = (
  'AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID ' +
  'IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW ' +
  'PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO ' +
  'SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM'
).split(' ');
