import { compareTrees, type FileDifference } from './compare-trees.ts';
import type { FileFact } from './file-facts.ts';
import { sizeOf, type TreeNode } from './file-tree.ts';
import { libcOf } from './libc.ts';
import { ownersOf, packagesOf, type Packages } from './packages.ts';
import { followsFromAdditions } from './production.ts';

/** What is compared, the most telling first. */
export const sectionNames = ['platform', 'libc', 'packages', 'environment', 'user', 'command', 'ports', 'limits', 'files', 'size'] as const;
export type SectionName = (typeof sectionNames)[number];

/** What of a side can be compared. What it says nothing about is undefined, and so is not compared. */
export interface Parameters {
  readonly platform: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: string;
  /** Entrypoint, command, directory, stop signal. */
  readonly command?: Readonly<Record<string, string>>;
  /** `8080/tcp`. */
  readonly ports?: readonly string[];
  readonly limits?: Readonly<Record<string, string>>;
}

export interface Section {
  readonly name: SectionName;
  /** Why it could not be compared; absent: it was. */
  readonly notCompared?: string;
  readonly differences: readonly Difference[];
  /** Of those that count. */
  readonly same: boolean;
}

export interface Difference {
  /** A package, an absolute path, a variable … */
  readonly name: string;
  readonly where: 'a' | 'b' | 'both';
  /** Of a file: in which ways. */
  readonly what?: readonly string[];
  /** As a text: a version, a value, what a file is. */
  readonly a?: string;
  readonly b?: string;
  /** Of a file: the package that it came with. */
  readonly package?: string;
  /** `false`: told, but no reason to call the two different. */
  readonly counts: boolean;
}

export interface Comparison {
  readonly parameters: { readonly a: Parameters; readonly b: Parameters };
  /** Undefined: they are the same tree, and nobody had to look at it; or nobody wants to know. */
  readonly trees: { readonly a: TreeNode; readonly b: TreeNode } | undefined;
  readonly only: readonly SectionName[];
  /** `b` is what runs in production: what `a` has besides is told and does not count. */
  readonly production: boolean;
}

export function compareSides({ parameters: { a, b }, trees, only, production }: Comparison): readonly Section[] {
  const packages = trees && { a: packagesOf(trees.a), b: packagesOf(trees.b) };
  const sections: Record<SectionName, () => Section> = {
    platform: () => texts('platform', { platform: a.platform }, { platform: b.platform }),
    libc: () =>
      trees ? texts('libc', single('libc', libcOf(trees.a, packages!.a)), single('libc', libcOf(trees.b, packages!.b))) : unchanged('libc'),
    packages: () => (packages ? comparePackages(packages.a, packages.b) : unchanged('packages')),
    environment: () => texts('environment', a.environment, b.environment, shown),
    user: () => texts('user', a.user === undefined ? undefined : { user: a.user }, b.user === undefined ? undefined : { user: b.user }),
    command: () => texts('command', a.command, b.command),
    ports: () => texts('ports', named(a.ports), named(b.ports)),
    limits: () => texts('limits', a.limits, b.limits),
    files: () => (trees ? compareFiles(trees.a, trees.b) : unchanged('files')),
    size: () => (trees ? texts('size', { bytes: String(sizeOf(trees.a)) }, { bytes: String(sizeOf(trees.b)) }) : unchanged('size')),
  };
  return only.map((name) => {
    const found = sections[name]();
    return production ? forgiving(found, trees) : found;
  });
}

function unchanged(name: SectionName): Section {
  return { name, differences: [], same: true };
}

function section(name: SectionName, differences: readonly Difference[]): Section {
  return { name, differences, same: !differences.some(({ counts }) => counts) };
}

/** Name by name. `show` makes of a value what may be read by others. */
function texts(
  name: SectionName,
  a: Readonly<Record<string, string>> | undefined,
  b: Readonly<Record<string, string>> | undefined,
  show: (name: string, value: string) => string = (_name, value) => value,
): Section {
  if (!a || !b)
    return { name, notCompared: a || b ? 'one side says nothing of it' : 'neither side says anything of it', differences: [], same: true };
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted();
  const differences = names.flatMap((key): Difference[] => {
    const [one, other] = [a[key], b[key]];
    if (one === other) return [];
    const sides = { ...(one === undefined ? {} : { a: show(key, one) }), ...(other === undefined ? {} : { b: show(key, other) }) };
    return [{ name: key, where: one === undefined ? 'b' : other === undefined ? 'a' : 'both', ...sides, counts: true }];
  });
  return section(name, differences);
}

function comparePackages(a: Packages | undefined, b: Packages | undefined): Section {
  if (!a && !b) return { name: 'packages', notCompared: 'neither side has a database of packages', differences: [], same: true };
  return texts('packages', Object.fromEntries(a ?? []), Object.fromEntries(b ?? []));
}

function compareFiles(a: TreeNode, b: TreeNode): Section {
  const owners = { a: ownersOf(a), b: ownersOf(b) };
  const ownerIn = (side: 'a' | 'b', { path, [side]: fact }: FileDifference): string | undefined => fact && owners[side](path.slice(1));
  const differences = [...compareTrees(a, b)].map((difference): Difference => {
    const { path, where, what } = difference;
    // A directory that both have is of many packages.
    const isShared = where === 'both' && difference.a?.type === 'directory';
    const from = isShared ? undefined : (ownerIn('a', difference) ?? ownerIn('b', difference));
    return {
      name: path,
      where,
      ...(where === 'both' ? { what } : {}),
      ...sidesOf(difference),
      ...(from === undefined ? {} : { package: from }),
      counts: true,
    };
  });
  return section('files', differences);
}

function sidesOf({ a, b }: FileDifference): Pick<Difference, 'a' | 'b'> {
  return { ...(a ? { a: describe(a) } : {}), ...(b ? { b: describe(b) } : {}) };
}

/** `file 0644 0:0 12 bytes`, `symlink 0:0 → target`. */
function describe({ type, mode, uid, gid, target, device, content, attributes }: FileFact): string {
  const permissions = type === 'symlink' ? '' : ` ${mode.toString(8).padStart(4, '0')}`;
  const rest = content ? ` ${content.size} bytes` : target === undefined ? (device === undefined ? '' : ` ${device}`) : ` → ${target}`;
  return `${type}${permissions} ${uid}:${gid}${rest}${attributes === '' ? '' : ` ${attributes}`}`;
}

/** With production on the other side: what only we have is no reason to call it no clone, nor what follows from having it. */
function forgiving(found: Section, trees: Comparison['trees']): Section {
  const differences = found.differences.map((difference): Difference => {
    const forgiven =
      difference.where === 'a' || found.name === 'size' || (trees && found.name === 'files' && followsFromAdditions(difference, trees));
    return forgiven ? { ...difference, counts: false } : difference;
  });
  return { ...found, ...section(found.name, differences) };
}

function single(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}

function named(values: readonly string[] | undefined): Record<string, string> | undefined {
  return values && Object.fromEntries(values.map((value) => [value, value]));
}

/** Variables of an environment may come from this machine: values that look secret are nobody's. */
function shown(name: string, value: string): string {
  return /TOKEN|SECRET|PASSW|CREDENTIAL|(?:^|_)(?:KEY|AUTH|PAT)(?:$|_)/i.test(name) ? '(hidden)' : value;
}
