import { styleText } from 'node:util';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

/** NO_COLOR (no-color.org) forbids, FORCE_COLOR demands, else a terminal that is not dumb gets colours. */
export function wantsColor(stream: { readonly isTTY?: boolean }, env: Environment): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return Boolean(stream.isTTY) && env['TERM'] !== 'dumb';
}

export function painter(color: boolean): Paint {
  return color ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}
