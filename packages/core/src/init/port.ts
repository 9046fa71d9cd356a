/** A port of the container as devenv.json writes it; undefined when it is none. The privileged ones, which a normal user cannot open, move up. */
export function portValue(container: number, protocol = 'tcp', host?: number): number | string | undefined {
  if (!isPort(container) || (host !== undefined && !isPort(host))) return undefined;
  const here = host ?? (container < 1024 ? container + 8000 : container);
  const suffix = protocol === 'udp' ? '/udp' : '';
  return here === container && suffix === '' ? container : `${here}:${container}${suffix}`;
}

/** `80`, `80/tcp`. */
export function parseExposed(text: string): number | string | undefined {
  const match = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  return match ? portValue(Number(match[1]), match[2]) : undefined;
}

/** The parts that must not stand twice in one file: this machine's port, and the container's. */
export function portParts(value: number | string): { readonly host: string; readonly container: string } {
  const match = /^(?:.*:)?(\d+):(\d+)(\/udp)?$/.exec(String(value));
  const [, host = String(value), container = String(value), suffix = ''] = match ?? [];
  return { host: `${host}${suffix}`, container: `${container}${suffix}` };
}

function isPort(number: number): boolean {
  return Number.isInteger(number) && number >= 1 && number <= 65535;
}
