import { UserError } from './base/errors.ts';
import { readText } from './base/files.ts';
import { formatPlatform, hostPlatform, parsePlatform } from './oci/platform.ts';

/** What qemu-user calls the architectures, and so the entries of binfmt_misc (its scripts/qemu-binfmt-conf.sh). */
const qemuNames: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  '386': 'i386',
  loong64: 'loongarch64',
};

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
  const { architecture } = platform;
  if (architecture === host.architecture || alsoRuns[host.architecture]?.includes(architecture)) return;
  const name = `qemu-${qemuNames[architecture] ?? architecture}`;
  const entry = readText(`/proc/sys/fs/binfmt_misc/${name}`);
  // The flag F: the emulator was opened when it was registered, so that an image need not hold it (kernel, admin-guide/binfmt-misc).
  if (entry?.startsWith('enabled') && /^flags:.*F/m.test(entry)) return;
  throw new UserError(
    'NOT_SUPPORTED',
    `The platform ${text} cannot run here: this machine is ${formatPlatform(host)} and has no emulator for it.`,
    {
      hint: 'apt-get install qemu-user-static binfmt-support, or take "platform" out of devenv.json',
    },
  );
}
