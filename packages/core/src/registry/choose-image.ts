import { UserError } from '../base/errors.ts';
import { parseReference, formatReference } from '../oci/reference.ts';

/** One of the images that an archive or a layout holds. */
export interface NamedImage {
  /** As written there: `shop:1`, `docker.io/library/shop:1`, `latest`; none when it has no name. */
  readonly names: readonly string[];
  /** What else means it and no other. */
  readonly digest: string;
}

export interface Wanted {
  /** What is behind `#`. */
  readonly name: string | undefined;
  /** Where the images lie, for people: `prod.tar`. */
  readonly place: string;
}

/**
 * The images that are meant: those that the name says, else all when they have one name in common. Several are one image for
 * several platforms.
 * @throws UserError IMAGE_NOT_FOUND, listing what is there
 */
export function chooseImage<T extends NamedImage>(images: readonly T[], { name, place }: Wanted): readonly T[] {
  if (images.length === 0) throw new UserError('IMAGE_NOT_FOUND', `${place} holds no image.`, { hint: 'Write it again.' });
  const chosen = name === undefined ? images : matching(images, name);
  if (chosen.length === 0)
    throw new UserError('IMAGE_NOT_FOUND', `${place} holds no image ${JSON.stringify(name)}; it holds ${list(images)}.`, {
      hint: `Name one of them: "${place}#${titleOf(images[0]!)}".`,
    });
  if (new Set(chosen.map(titlesOf)).size > 1)
    throw new UserError('IMAGE_NOT_FOUND', `${place} holds several images: ${list(chosen)}.`, {
      hint: `Say which is meant: "${place}#${titleOf(chosen[0]!)}".`,
    });
  return chosen;
}

/** What is listed several times under other names is one image. */
export function merged<T extends NamedImage>(images: readonly T[]): readonly T[] {
  const found = new Map<string, T>();
  for (const image of images) {
    const known = found.get(image.digest);
    found.set(image.digest, known ? { ...known, names: [...new Set([...known.names, ...image.names])] } : image);
  }
  return [...found.values()];
}

/** By the name as it stands, by the name it is short for, or by the tag alone: the first of these that finds any. */
function matching<T extends NamedImage>(images: readonly T[], name: string): readonly T[] {
  const same: ((known: string) => boolean)[] = [
    (known) => known === name,
    (known) => completed(known) === completed(name),
    (known) => known.endsWith(`:${name}`),
  ];
  for (const test of same) {
    const found = images.filter((image) => image.names.some(test));
    if (found.length > 0) return found;
  }
  return images.filter((image) => image.digest === name);
}

function completed(name: string): string {
  try {
    return formatReference(parseReference(name));
  } catch {
    return name; // layouts name images as they like
  }
}

function titlesOf(image: NamedImage): string {
  return image.names.length > 0 ? image.names.join(' ') : '';
}

function titleOf(image: NamedImage): string {
  return image.names[0] ?? image.digest;
}

/** Names may come from anywhere: only as many as can be read, and no control characters. */
function list(images: readonly NamedImage[]): string {
  const titles = [...new Set(images.map(titleOf))].map((title) => title.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200));
  const more = titles.length > 20 ? `, and ${titles.length - 20} more` : '';
  return titles.slice(0, 20).join(', ') + more;
}
