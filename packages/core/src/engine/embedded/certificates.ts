import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Puts the host's CA bundle into a folder that is shown at /run/devenv, with a configuration that tells apt of it: apt reads
 * no variable that names a bundle. The image's own bundle stays as it is: mounting over it breaks update-ca-certificates.
 */
export function writeCertificates(folder: string, bundle: string): void {
  const [certificates, settings] = [join(folder, 'ca.pem'), join(folder, 'apt.conf')];
  mkdirSync(folder, { recursive: true });
  copyFileSync(bundle, certificates);
  writeFileSync(settings, 'Acquire::https::CAInfo "/run/devenv/ca.pem";\n');
  // Every user inside reads them, whatever our umask.
  chmodSync(folder, 0o755);
  for (const file of [certificates, settings]) chmodSync(file, 0o644);
}
