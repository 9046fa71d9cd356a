import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../packages/core/src/base/canonical-json.ts';
import { startRealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { tarOfOneFile } from '../packages/core/src/registry/registry.suite.ts';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

interface LockedPlatform {
  readonly image?: Readonly<Record<'name' | 'index' | 'manifest' | 'id', string>>;
  readonly layers: readonly { readonly packages?: Readonly<Record<string, { readonly url: string; readonly sha256: string }>> }[];
}

function lockIn(cwd: string): LockedPlatform {
  const { platforms } = JSON.parse(readFileSync(join(cwd, 'devenv-lock.json'), 'utf8')) as { platforms: Record<string, LockedPlatform> };
  return Object.values(platforms)[0]!;
}

test(
  'a Debian base is made of its lock, bit for bit, when the archive has none of its packages any more',
  { timeout: 600_000 },
  async () => {
    const cwd = rig.project({ 'devenv.json': { image: debian } });
    await rig.ok(['lock'], { cwd });
    const [text, packages] = [readFileSync(join(cwd, 'devenv-lock.json'), 'utf8'), Object.values(lockIn(cwd).layers[0]!.packages!)];
    expect(packages.length).toBeGreaterThan(50);
    const pathIn = (url: string): string => url.slice(url.indexOf('/pool/') + 1);
    const kept = join(rig.base, 'cache/packages');
    const files = new Map(packages.map(({ url, sha256: hash }) => [pathIn(url), join(rig.base, 'snapshots', `${hash}.deb`)]));
    await using network = await makeNetwork((url) => (url.host === 'snapshots.example' ? files.get(pathIn(url.pathname)) : undefined));
    mkdirSync(join(rig.base, 'config'), { recursive: true });
    const snapshots = 'http://snapshots.example/{archive}/{timestamp}/{path}';
    writeFileSync(join(rig.base, 'config/config.json'), JSON.stringify({ packages: { snapshots } }));
    const options = { cwd, env: { http_proxy: network.proxy, https_proxy: network.proxy } };
    renameSync(kept, join(rig.base, 'snapshots'));
    const verified = await rig.ok(['verify', '--json'], options);
    expect(verified.json).toMatchObject({ same: true, against: 'lock', layers: [{ step: 'debian bookworm', same: true }] });
    // Each was asked for where it was, and then where it is; no list of an archive was.
    const expected = packages.flatMap(({ url }) => [url, `http://snapshots.example ${pathIn(url)}`]);
    const asked = network.asked.map((url) => url.replace(/^(http:\/\/snapshots\.example)\/.*\/(pool\/.*)$/, '$1 $2'));
    expect(asked.toSorted()).toEqual(expected.toSorted());
    expect(readFileSync(join(cwd, 'devenv-lock.json'), 'utf8')).toBe(text);

    const { url, sha256: hash } = packages.at(-1)!;
    files.delete(pathIn(url));
    rmSync(join(kept, `${hash}.deb`));
    const gone = await rig.devenv(['verify', '--json'], options);
    expect(gone).toMatchObject({ exitCode: 1, json: { code: 'PACKAGE_UNAVAILABLE' } });
    expect(gone.json['message']).toContain(url);
  },
);

interface Network extends AsyncDisposable {
  readonly proxy: string;
  /** Every address that was asked for. */
  readonly asked: string[];
}

/** All there is to reach, as files by address. */
async function makeNetwork(fileOf: (url: URL) => string | undefined): Promise<Network> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url!, `http://${request.headers.host}`);
    asked.push(url.href);
    const file = fileOf(url);
    if (file === undefined || !existsSync(file)) return response.writeHead(404).end();
    return createReadStream(file).pipe(response);
  });
  // A tunnel to whatever machine leads here.
  server.on('connect', (_request, socket, head) => {
    const own = connect((server.address() as AddressInfo).port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      own.write(head);
      own.pipe(socket).pipe(own);
    });
    own.on('error', () => socket.destroy());
    socket.on('error', () => own.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    proxy: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('of an image the lock has the index and the manifest, and update says which of them moved', async () => {
  await using registry = await startRealRegistry();
  const [amd64, arm64] = [
    { os: 'linux', architecture: 'amd64' },
    { os: 'linux', architecture: 'arm64' },
  ] as const;
  const own = process.arch === 'arm64' ? arm64 : amd64;
  const other = own === amd64 ? arm64 : amd64;
  const name = `${registry.host}/team/app:1`;
  const publish = (ours: string, theirs: string): { index: string; manifest: string } => {
    registry.put('team/app', '1', [
      { platform: other, layers: [tarOfOneFile('file', theirs)] },
      { platform: own, layers: [tarOfOneFile('file', ours)] },
    ]);
    const raw = registry.skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`);
    const { manifests } = JSON.parse(raw) as { manifests: { digest: string }[] };
    return { index: `sha256:${sha256(raw)}`, manifest: manifests[1]!.digest };
  };
  const first = publish('one', 'one');
  const cwd = rig.project({ 'devenv.json': { image: name, steps: [{ env: { A: 'b' } }] } });
  await rig.ok(['lock'], { cwd });
  expect(lockIn(cwd).image).toMatchObject({ name, ...first });

  const second = publish('one', 'two');
  expect(second.manifest).toBe(first.manifest);
  expect((await rig.ok(['lock', '--json'], { cwd })).json['changes']).toEqual([]);
  const forAll = `${name} for all platforms`;
  expect((await rig.ok(['update', '--json'], { cwd })).json['changes']).toEqual([{ what: forAll, from: first.index, to: second.index }]);

  const third = publish('two', 'two');
  expect((await rig.ok(['plan', '--frozen', '--json'], { cwd })).json).toMatchObject({ outdated: [] });
  expect((await rig.ok(['update', 'base', '--json'], { cwd })).json['changes']).toEqual([
    { what: name, from: first.manifest, to: third.manifest },
    { what: forAll, from: second.index, to: third.index },
  ]);
  expect(lockIn(cwd).image).toMatchObject({ name, ...third });
});
