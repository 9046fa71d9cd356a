/** A platform as images name it (image-spec, image-index.md): GOOS, GOARCH and the CPU variant. */
export interface Platform {
  readonly os: 'linux';
  readonly architecture: string;
  readonly variant?: string;
}

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

/** The platform of this machine. */
export function hostPlatform(): Platform {
  const architecture = architectures[process.arch] ?? process.arch;
  return architecture === 'arm' ? { os: 'linux', architecture, variant: 'v7' } : { os: 'linux', architecture };
}

/** `linux/amd64`, `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/');
}

/** The platform a text names, or undefined when it names none we can run. */
export function parsePlatform(text: string): Platform | undefined {
  const match = /^linux\/([a-z0-9]+)(?:\/([a-z0-9]+))?$/.exec(text);
  if (!match) return undefined;
  return { os: 'linux', architecture: match[1]!, ...(match[2] ? { variant: match[2] } : {}) };
}
