import { UserError } from './base/errors.ts';
import type { Build } from './engine/engine.ts';
import type { LayerId } from './store/layer-store.ts';
import type { Survey } from './survey.ts';

/** Where an archive has a package; the hash as apt knows it. */
export interface FoundPackage {
  readonly url: string;
  readonly sha256: string | undefined;
}

export interface FoundPackages {
  readonly packages: ReadonlyMap<string, FoundPackage>;
  /** `20260131T235959Z`: the newest date of the archives. */
  readonly archiveTime: string | undefined;
}

/**
 * Where the sources of an image have these packages (`name:architecture` → version), asked with its own apt on a copy of it that is thrown
 * away. What no source has is absent. @throws UserError STEP_FAILED when the image has no apt that works
 */
export async function findPackages(
  wanted: ReadonlyMap<string, string>,
  layer: LayerId,
  session: Build,
  { found, signal }: { readonly found: Pick<Survey, 'transport'>; readonly signal: AbortSignal },
): Promise<FoundPackages> {
  await using workbench = await session.workbench(layer);
  const ask = async (script: string, words: readonly string[]): Promise<{ exitCode: number; output: string }> => {
    const chunks: Buffer[] = [];
    const { exitCode } = await workbench.run({
      args: ['/bin/sh', '-c', script, 'apt', ...words],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...found.transport.env },
      user: 'root',
      workdir: '/',
      network: true,
      caches: [],
      secrets: [],
      onOutput: (chunk) => chunks.push(chunk),
      signal,
    });
    return { exitCode, output: Buffer.concat(chunks).toString() };
  };
  const updated = await ask(updateScript, []);
  if (updated.exitCode !== 0)
    throw new UserError('STEP_FAILED', `The package sources of the image cannot be asked: ${lastLines(updated.output)}`);
  const packages = new Map<string, FoundPackage>();
  let left = [...wanted].map(([name, version]) => ({ name, word: wordOf(name, version) }));
  // apt prints nothing at all when one of many is unknown, and names it.
  while (left.length > 0) {
    const { exitCode, output } = await ask(
      'exec apt-get -qq download --print-uris -- "$@"',
      left.map(({ word }) => word),
    );
    if (exitCode === 0) {
      for (const [name, entry] of parseUris(output)) packages.set(name, entry);
      break;
    }
    const known = left.filter(({ word }) => !isNamed(word, output));
    if (known.length === left.length)
      throw new UserError('STEP_FAILED', `The package sources of the image cannot be asked: ${lastLines(output)}`);
    left = known;
  }
  return { packages, archiveTime: newestDate(updated.output) };
}

const updateScript = `set -e
apt-get -qq -o Acquire::Check-Valid-Until=false -o APT::Update::Error-Mode=any update
for file in /var/lib/apt/lists/*Release; do sed -n '/^Date: /{s//devenv-date /p;q}' "$file"; done
`;

/** Packages for all architectures are known under their name alone. */
function wordOf(name: string, version: string): string {
  return `${name.replace(/:all$/, '')}=${version}`;
}

/**
 * `E: Version '1' for 'git' was not found`, `E: Unable to locate package git`, and of what is installed and in no archive `E: Can't find a
 * source to download version '1' of 'git:amd64'`, also where it is for all architectures.
 */
function isNamed(word: string, output: string): boolean {
  const [name, version] = [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)];
  const bare = name.replace(/:.*$/, '');
  const isUnknown = (line: string, known: string): boolean =>
    line.includes(`'${version}' for '${known}'`) || line.endsWith(`package ${known}`) || line.includes(`'${known}'`);
  return output
    .split('\n')
    .filter((line) => line.startsWith('E:'))
    .some((line) => isUnknown(line, name) || isUnknown(line, bare) || (name === bare && line.includes(`'${version}' of '${bare}:`)));
}

/** `'http://…/git_1%3a2.39_amd64.deb' git_1%3a2.39_amd64.deb 1234 SHA256:…`, for each (apt-get(8), --print-uris). */
function parseUris(output: string): [string, FoundPackage][] {
  return output.split('\n').flatMap((line): [string, FoundPackage][] => {
    const match = /^'([^']+)' ([^_\s]+)_[^_\s]+_([^_\s]+)\.deb \d+ ?(?:SHA256:([0-9a-f]{64}))?/.exec(line);
    return match ? [[`${match[2]}:${match[3]}`, { url: match[1]!, sha256: match[4] }]] : [];
  });
}

function newestDate(output: string): string | undefined {
  const dates = output.split('\n').flatMap((line) => (line.startsWith('devenv-date ') ? [Date.parse(line.slice(12))] : []));
  const newest = Math.max(...dates.filter((date) => !Number.isNaN(date)));
  return Number.isFinite(newest) ? new Date(newest).toISOString().replaceAll(/[-:]|\.\d+/g, '') : undefined;
}

function lastLines(output: string): string {
  return output.trim().split('\n').slice(-4).join('\n');
}
