import { UserError } from './base/errors.ts';
import { emulatedArchitectures } from './engine/emulators.ts';
import { formatPlatform, hostPlatform, parsePlatform } from './oci/platform.ts';

/** Architectures that a processor runs besides its own. */
const alsoRuns: Readonly<Record<string, readonly string[]>> = { amd64: ['386'], arm64: ['arm'] };

/**
 * Refuses a platform whose programs the kernel of this machine cannot start, neither by itself nor through an emulator.
 * @throws UserError NOT_SUPPORTED
 */
export function refuseForeignPlatform(text: string | undefined): void {
  const platform = text === undefined ? undefined : parsePlatform(text);
  if (!platform) return;
  const host = hostPlatform();
  const runs = [host.architecture, ...(alsoRuns[host.architecture] ?? [])];
  if (runs.includes(platform.architecture) || emulatedArchitectures().includes(platform.architecture)) return;
  throw new UserError(
    'NOT_SUPPORTED',
    `The platform ${text} cannot run here: this machine is ${formatPlatform(host)} and has no emulator for it.`,
    { hint: 'apt-get install qemu-user-static binfmt-support, or take "platform" out of devenv.json' },
  );
}
