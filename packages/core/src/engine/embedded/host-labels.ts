import { getAttribute } from '../../base/system-calls.ts';
import { isMapped } from '../../base/user-namespace.ts';
import { loadAppArmorProfile, securityLabels, securityModules, type SecurityLabels, type SecurityModules } from './security-labels.ts';

/** What this machine's kernel has; `data`: the engine's data directory. */
export function hostModules(data: string): SecurityModules {
  const before = securityModules({ root: '/', isRoot: !isMapped(), dataLabel: undefined });
  // Its label is of interest where there are labels; asking for it loads native code.
  return before.selinux.state === 'store unlabelled'
    ? securityModules({ root: '/', isRoot: !isMapped(), dataLabel: labelOf(data) })
    : before;
}

/** The labels for a container of this machine, with the profile that they name loaded: none where none can be had. */
export async function hostLabels(data: string, container: { readonly id: string; readonly privileged: boolean }): Promise<SecurityLabels> {
  const modules = hostModules(data);
  const { apparmorProfile, ...others } = securityLabels(modules, container.id, container.privileged);
  if (apparmorProfile === undefined) return others;
  if (modules.apparmor !== 'loaded' && (await loadAppArmorProfile()) !== undefined) return others; // doctor says why
  return { apparmorProfile, ...others };
}

function labelOf(path: string): string | undefined {
  return getAttribute(path, 'security.selinux')?.toString().replace(/\0$/, '');
}
