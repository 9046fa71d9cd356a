import { badArchive } from './bad-archive.ts';

/** What a name in a layer's archive says about the layers below (image-spec, layer.md#whiteouts). */
export type Whiteout =
  /** Nothing of the directory below shows; empty: the layer's top. */
  | { readonly kind: 'opaque'; readonly directory: string }
  /** The name does not exist, whatever is below. */
  | { readonly kind: 'hides'; readonly name: string }
  /** Bookkeeping of AUFS, where this form comes from. */
  | { readonly kind: 'ignored' };

export const whiteoutPrefix = '.wh.';
export const opaqueName = '.wh..wh..opq';
const ownPrefix = '.wh..wh.';

/** Undefined for an ordinary name, which has no `.`, `..` or empty part. @throws UserError BAD_ARCHIVE */
export function parseWhiteout(name: string): Whiteout | undefined {
  if (!name.includes(whiteoutPrefix)) return undefined;
  const parts = name.split('/');
  const base = parts.pop()!;
  const directory = parts.join('/');
  if (parts.some((part) => part.startsWith(ownPrefix))) return { kind: 'ignored' };
  if (parts.some((part) => part.startsWith(whiteoutPrefix))) throw badArchive(`${JSON.stringify(name)} lies in a whiteout`);
  if (!base.startsWith(whiteoutPrefix)) return undefined;
  if (base === opaqueName) return { kind: 'opaque', directory };
  if (base.startsWith(ownPrefix)) return { kind: 'ignored' };
  const hidden = base.slice(whiteoutPrefix.length);
  if (hidden === '' || hidden === '.' || hidden === '..') throw badArchive(`${JSON.stringify(name)} hides no name`);
  return { kind: 'hides', name: directory === '' ? hidden : `${directory}/${hidden}` };
}
