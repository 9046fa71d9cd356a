import type { Base } from './config.ts';
import type { Members } from './members.ts';
import { hostPath, type PathBase } from './paths.ts';
import type { Problems } from './problems.ts';

/** What stands under "image". */
export function readImage(root: Members, base: PathBase): Base {
  const { problems } = root;
  const name = root.text('image');
  if (name !== undefined) return name === 'scratch' ? { kind: 'scratch' } : { kind: 'registry', reference: name };
  const image = root.object('image');
  const archive = image.string('archive');
  if (archive) return { kind: 'archive', path: hostPath(archive, base, problems) };
  const layout = image.string('layout');
  if (layout) return { kind: 'layout', path: hostPath(layout, base, problems) };
  return {
    kind: 'debian',
    suite: image.text('debian') ?? '',
    packages: packageNames(image, 'packages'),
    mirror: mirror(image, problems),
    snapshot: snapshot(image, problems),
  };
}

/** In sorted order, each once: the order in which they are named changes nothing. */
export function packageNames(members: Members, name: string): readonly string[] {
  return [...new Set(members.texts(name))].toSorted();
}

function mirror(image: Members, problems: Problems): string | undefined {
  const node = image.string('mirror');
  if (node && /^[a-z]+:\/\/[^/]*@/.test(node.value)) {
    problems.add('BAD_VALUE', node, 'A mirror cannot hold a password: this file is shared.', 'put credentials into apt_auth.conf(5)');
  }
  return node?.value;
}

function snapshot(image: Members, problems: Problems): string | undefined {
  const node = image.string('snapshot');
  if (!node) return undefined;
  const [year, month, day] = [node.value.slice(0, 4), node.value.slice(4, 6), node.value.slice(6, 8)];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day))
    problems.add('BAD_VALUE', node, `There is no ${year}-${month}-${day}.`);
  return node.value;
}
