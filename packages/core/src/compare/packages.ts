import { lookUp, type TreeNode } from './file-tree.ts';

/** Name → version, of everything that the distribution's tools installed. `name:arch` where a name is there twice. */
export type Packages = ReadonlyMap<string, string>;

/** What dpkg's or apk's own database says. Undefined: there is none, or it cannot be read. */
export function packagesOf(root: TreeNode): Packages | undefined {
  const stanzas = [
    ...stanzasOf(textAt(root, 'var/lib/dpkg/status')).filter((fields) => fields.get('Status')?.endsWith(' installed')),
    ...slimStanzas(root),
  ].map((fields) => ({ name: fields.get('Package'), version: fields.get('Version'), arch: fields.get('Architecture') }));
  const alpine = stanzasOf(textAt(root, apkDatabase)).map((fields) => ({
    name: fields.get('P'),
    version: fields.get('V'),
    arch: fields.get('A'),
  }));
  const all = [...stanzas, ...alpine];
  if (all.length === 0) return undefined;
  const packages = new Map<string, string>();
  const names = Map.groupBy(all, ({ name }) => name);
  for (const { name, version, arch } of all) {
    if (name === undefined || version === undefined) continue;
    packages.set(names.get(name)!.length > 1 ? `${name}:${arch ?? ''}` : name, version);
  }
  return packages;
}

/** Which package a file came with, or one of those that have a directory. Paths without a leading slash. */
export function ownersOf(root: TreeNode): (path: string) => string | undefined {
  let owners: ReadonlyMap<string, string> | undefined;
  return (path) => /^var\/lib\/dpkg\/info\/(.+?)(?::[a-z0-9]+)?\.[^./]+$/.exec(path)?.[1] ?? (owners ??= readOwners(root)).get(path);
}

function readOwners(root: TreeNode): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  // Lists say /lib where a merged tree has /usr/lib.
  const real = (path: string): string => {
    const [top = '', ...rest] = path.split('/');
    const fact = root.children.get(top)?.fact;
    return fact?.type === 'symlink' ? [fact.target!.replace(/^\/+/, ''), ...rest].join('/') : path;
  };
  for (const [file, node] of lookUp(root, 'var/lib/dpkg/info')?.children ?? []) {
    const name = /^(.+?)(?::[a-z0-9]+)?\.list$/.exec(file)?.[1];
    if (name === undefined) continue;
    for (const line of (node.fact.content?.bytes()?.toString('utf8') ?? '').split('\n')) {
      const path = real(line.slice(1));
      if (path !== '') owners.set(path, name);
    }
  }
  let [name, folder] = ['', ''];
  for (const line of (textAt(root, apkDatabase) ?? '').split('\n')) {
    const value = line.slice(2);
    if (line.startsWith('P:')) name = value;
    else if (line.startsWith('F:')) folder = value;
    else if (line.startsWith('R:')) owners.set(real(folder === '' ? value : `${folder}/${value}`), name);
  }
  return owners;
}

const apkDatabase = 'lib/apk/db/installed';

/** Images that have no dpkg of their own keep a file for each package (distroless). */
function slimStanzas(root: TreeNode): ReadonlyMap<string, string>[] {
  const folder = lookUp(root, 'var/lib/dpkg/status.d');
  return [...(folder?.children ?? [])]
    .filter(([name]) => !name.endsWith('.md5sums'))
    .flatMap(([, node]) => stanzasOf(node.fact.content?.bytes()?.toString('utf8')));
}

/** deb822(5), and apk's form of it: fields of one line; what goes on in further lines is of no use here. */
function stanzasOf(text: string | undefined): ReadonlyMap<string, string>[] {
  return (text ?? '')
    .split(/\n{2,}/)
    .map((stanza) => new Map(stanza.split('\n').flatMap((line) => fieldOf(line))))
    .filter((fields) => fields.size > 0);
}

function fieldOf(line: string): [string, string][] {
  const match = /^([A-Za-z][A-Za-z-]*):\s?(.*)$/.exec(line);
  return match ? [[match[1]!, match[2]!.trim()]] : [];
}

export function textAt(root: TreeNode, path: string): string | undefined {
  return lookUp(root, path)?.fact.content?.bytes()?.toString('utf8');
}
