import type { Sourced } from './proposal.ts';

/** Homes of the users of common images, where they are not /home/NAME. */
const homes: Readonly<Record<string, string>> = { root: '/root', 'www-data': '/var/www' };

/** Users of systems and services: they have no shell or home to work in. */
const services = ['root', 'nobody', 'nonroot', 'nginx', 'daemon', 'bin', 'sys', 'mail', 'games', 'postgres', 'mysql', 'redis'];

export function homeOf(user: string): string {
  return homes[user] ?? `/home/${user}`;
}

/** The name in an image's `USER`, when a person can work as it. */
export function acceptableUser(text: string): string | undefined {
  const [name = ''] = text.split(':');
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(name) && !services.includes(name) ? name : undefined;
}

/** An image's `WORKDIR`, when mounting a folder there hides nothing that the image needs. */
export function acceptableWorkspace(path: string): string | undefined {
  const plain = path.replace(/\/+$/, '');
  if (!/^(?:\/[\w@+-][\w@+.-]*)+$/.test(plain)) return undefined;
  if (/^\/(?:usr\/src|usr\/local\/src|home\/[^/]+|var\/www|opt)\/./.test(plain) || plain === '/var/task') return plain;
  return /^\/(?:bin|boot|dev|etc|home|lib\w*|media|mnt|opt|proc|root|run|sbin|sys|tmp|usr|var)(?:\/|$)/.test(plain) ? undefined : plain;
}

export function acceptableVariable(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name);
}

/** A package as an apt step takes it. */
export function acceptablePackage(name: string): boolean {
  return /^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](?:=[A-Za-z0-9.+:~-]+)?$/.test(name);
}

export function acceptableImage(text: string): boolean {
  return /^(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/.test(
    text,
  );
}

/** Settings that make tools leave out what development needs. */
export function isProductionMode(name: string, value: string): boolean {
  return /^(?:NODE|RAILS|RACK|APP|FLASK|MIX|SYMFONY)_ENV$/.test(name) && value === 'production';
}

/** A plain text for a value in which `${…}` would mean something to us. */
export function literal(text: string): string {
  return text.replaceAll('${', () => '$${'); // in a replacement text $$ would be $
}

/** A plain text for a place that a shell reads: `${…}` is its own there, unless it looks like ours. */
export function shellText<T extends string | readonly string[]>(command: Sourced<T>): Sourced<T> | undefined {
  const texts: readonly string[] = typeof command.value === 'string' ? [command.value] : command.value;
  if (
    texts.length === 0 ||
    texts[0] === '' ||
    texts.some((text) => /\$\{(?:local|container|remote|workspace|env:|devcontainer)/i.test(text))
  )
    return undefined;
  return command;
}
