/** What dpkg's database (dpkg(1), /var/lib/dpkg/status) says is installed: `name:architecture` → version. */
export function installedIn(status: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const stanza of status.split(/\n{2,}/)) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: *(.*)$`, 'm').exec(stanza)?.[1]?.trim();
    const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
    if (!name || !version || !architecture || !field('Status')?.endsWith(' installed')) continue;
    found.set(`${name}:${architecture}`, version);
  }
  return found;
}

/** What a step installed, given what was installed before it. */
export function newlyInstalled(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...after].filter(([name, version]) => before.get(name) !== version));
}
