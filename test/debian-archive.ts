import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Debian archive of one machine, made with dpkg's own tools. Disposed: nothing of it is left. */
export interface DebianArchive extends AsyncDisposable {
  /** A line for sources.list. */
  readonly source: string;
  /** `{archive}`, `{timestamp}` and `{path}` are in it. */
  readonly snapshots: string;
  /** From now on it has exactly these versions of its packages; what it had goes to the snapshots. */
  publish(version: string): void;
  /** The file of a package as it is served. */
  path(name: string, version: string): string;
  /** Afterwards the snapshots have nothing. */
  loseSnapshots(): void;
}

/**
 * What steps reach of this machine: an address of its loopback interface that is not in 127.0.0.0/8, since a step has those for
 * itself. Root only.
 */
const address = '10.213.77.1';

export async function serveDebianArchive(): Promise<DebianArchive> {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'devenv-debian-'));
  const pool = join(root, 'debian/pool');
  const lost = join(root, 'snapshots/debian/pool');
  for (const folder of [pool, lost]) mkdirSync(folder, { recursive: true });
  execFileSync('ip', ['address', 'replace', `${address}/32`, 'dev', 'lo']);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://archive');
    const path = join(root, decodeURIComponent(pathname).replace(/^\/snapshots\/debian\/\d{8}T\d{6}Z\//, '/snapshots/debian/'));
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return response.writeHead(404).end();
    return createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const origin = `http://${address}:${(server.address() as AddressInfo).port}`;
  let current: string | undefined;
  const fileOf = (name: string, version: string): string => `${name}_${version}_all.deb`;
  const names = ['greeter', 'greeter-words', 'farewell'];
  return {
    source: `deb [trusted=yes] ${origin}/debian ./`,
    snapshots: `${origin}/snapshots/{archive}/{timestamp}/{path}`,
    path: (name, version) => join(pool, fileOf(name, version)),
    loseSnapshots: () => rmSync(lost, { recursive: true }),
    publish(version) {
      if (current !== undefined) for (const name of names) renameSync(join(pool, fileOf(name, current)), join(lost, fileOf(name, current)));
      current = version;
      for (const name of names) buildPackage(root, name, version, pool);
      const index = execFileSync('dpkg-scanpackages', ['--multiversion', 'pool'], {
        cwd: join(root, 'debian'),
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      writeFileSync(join(root, 'debian/Packages'), index);
      const hash = createHash('sha256').update(index).digest('hex');
      const release = `Suite: local\nDate: Sat, 31 Jan 2026 12:00:00 UTC\nSHA256:\n ${hash} ${index.length} Packages\n`;
      writeFileSync(join(root, 'debian/Release'), release);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      execFileSync('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo']);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** `greeter` needs `greeter-words` of its version, `farewell` nothing; each has one file that says its version. */
function buildPackage(root: string, name: string, version: string, pool: string): void {
  const tree = join(root, `${name}-${version}`);
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  mkdirSync(join(tree, 'usr/share/greeter'), { recursive: true });
  writeFileSync(join(tree, 'usr/share/greeter', name), `${version}\n`);
  const needs = name === 'greeter' ? `Depends: greeter-words (= ${version})\n` : '';
  const control = `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: Test <test@example.invalid>\n${needs}Description: says hello\n`;
  writeFileSync(join(tree, 'DEBIAN/control'), control);
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', tree, pool], { stdio: 'ignore' });
  rmSync(tree, { recursive: true });
}
