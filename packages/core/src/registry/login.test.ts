import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Readable } from 'node:stream';
import { sha256 } from '../base/canonical-json.ts';
import type { Digest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { startFakeServer } from './fake-server.suite.ts';
import { startRealRegistry, type RealRegistry } from './real-registry.suite.ts';
import { contentOf, tarOfOneFile } from './registry.suite.ts';
import { remoteRegistry } from './remote.ts';

const amd64 = { os: 'linux', architecture: 'amd64' } as const;
const htpasswd = 'user:$2b$05$p.8uOQjzSEPwECDLWCR.GujR4NzBPaZWja6zMsb/iVaQf2MGhfxSu\n';
const secret = { user: 'user', password: 'secret' };

let encrypted: RealRegistry;
let withTokens: RealRegistry;
beforeAll(async () => {
  [encrypted, withTokens] = await Promise.all([startRealRegistry({ tls: true, htpasswd }), startRealRegistry({ tokens: 'user:secret' })]);
});
afterAll(() => Promise.all([encrypted[Symbol.asyncDispose](), withTokens[Symbol.asyncDispose]()]));

let home: string;
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'devenv-login-'))));
afterEach(() => rmSync(home, { recursive: true }));
const env = () => ({ HOME: home, PATH: [join(home, 'bin'), process.env['PATH']].join(delimiter) });
const config = () => join(home, '.docker/config.json');
const written = () => JSON.parse(readFileSync(config(), 'utf8')) as unknown;

test('a login at a registry with its own authority is checked, kept for its owner alone, used, and forgotten', async () => {
  const settings = { [encrypted.host]: { ca: encrypted.ca } };
  const registry = remoteRegistry({ env: env(), settings, pause: 1 });
  await expect(registry.login(encrypted.host, { user: 'user', password: 'wrong' })).rejects.toMatchObject({ code: 'REGISTRY_DENIED' });
  expect(statSync(config(), { throwIfNoEntry: false })).toBeUndefined();
  expect(await registry.login(encrypted.host, secret)).toEqual({ kind: 'file', place: config() });
  expect(statSync(config()).mode & 0o777).toBe(0o600);
  expect(written()).toEqual({ auths: { [encrypted.host]: { auth: Buffer.from('user:secret').toString('base64') } } });
  const logged = remoteRegistry({ env: env(), settings, pause: 1 });
  await logged.put(parseReference(`${encrypted.host}/a:1`), smallImage);
  expect(await logged.tags({ registry: encrypted.host, repository: 'a' })).toEqual(['1']);
  const image = await logged.get(parseReference(`${encrypted.host}/a:1`), amd64);
  expect(await contentOf(image.layers[0]!)).toBe(tar.toString('latin1'));
  // The format is Docker's: skopeo reads it.
  encrypted.skopeo('inspect', '--tls-verify=false', `--authfile=${config()}`, `docker://${encrypted.host}/a:1`);
  expect(await logged.logout(encrypted.host)).toEqual([{ kind: 'file', place: config() }]);
  expect(written()).toEqual({ auths: {} });
  expect(await logged.logout(encrypted.host)).toEqual([]);
});

test('an authority that nobody named is not trusted, on this machine neither', async () => {
  await expect(remoteRegistry({ env: env(), pause: 1 }).login(encrypted.host, secret)).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    message: expect.stringContaining('certificate') as string,
  });
});

test('a push with tokens asks for what it needs: to write, and to read where it mounts from', async () => {
  const settings = { [withTokens.host]: { tokenServer: await tokenHost(withTokens.host) } };
  const auth = { auth: Buffer.from('user:secret').toString('base64') };
  mkdirSync(join(home, '.docker'));
  writeFileSync(config(), JSON.stringify({ auths: { [withTokens.host]: auth } }));
  const registry = remoteRegistry({ env: env(), settings, pause: 1 });
  const first = await registry.put(parseReference(`${withTokens.host}/first:1`), smallImage);
  const image = await registry.get(parseReference(`${withTokens.host}/first:1`), amd64);
  const second = await registry.put(parseReference(`${withTokens.host}/second:1`), image);
  expect(second).toMatchObject({ digest: first.digest, kept: true, layers: [{ how: 'mounted' }] });
  expect(withTokens.granted).toContain('user repository:second:pull,push repository:first:pull');
});

test('credentials are kept from a token server on another host until the settings name it', async () => {
  const asked: (string | undefined)[] = [];
  await using tokens = await startFakeServer({}, (request, response) => {
    asked.push(request.headers.authorization);
    return !!response.writeHead(200).end('{"token":"good"}');
  });
  await using server = await startFakeServer({}, (request, response) =>
    request.headers.authorization === 'Bearer good'
      ? !!response.writeHead(200).end()
      : !!response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${tokens.host}/token",service="x"` }).end(),
  );
  const failure = await remoteRegistry({ env: env(), pause: 1 })
    .login(server.host, secret)
    .catch((error: unknown) => error as Error);
  expect(failure).toMatchObject({ code: 'REGISTRY_DENIED', hint: expect.stringContaining(`"tokenServer": "${tokens.host}"`) as string });
  expect(asked).toEqual([undefined]);
});

test('a credential helper keeps the password, which is never an argument and never in the file', async () => {
  installHelper();
  mkdirSync(join(home, '.docker'));
  writeFileSync(config(), JSON.stringify({ credHelpers: { [encrypted.host]: 'test' }, other: 'setting' }));
  const settings = { [encrypted.host]: { ca: encrypted.ca } };
  const registry = remoteRegistry({ env: env(), settings, pause: 1 });
  expect(await registry.login(encrypted.host, secret)).toEqual({ kind: 'helper', place: 'docker-credential-test' });
  expect(readFileSync(config(), 'utf8')).not.toMatch(/secret|c2VjcmV0|dXNlcjpzZWNyZXQ/);
  expect(written()).toMatchObject({ other: 'setting', auths: { [encrypted.host]: {} } });
  await expect(registry.tags({ registry: encrypted.host, repository: 'none' })).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  expect(await registry.logout(encrypted.host)).toEqual([{ kind: 'helper', place: 'docker-credential-test' }]);
  const anonymous = remoteRegistry({ env: env(), settings, pause: 1 });
  await expect(anonymous.tags({ registry: encrypted.host, repository: 'none' })).rejects.toMatchObject({ code: 'REGISTRY_DENIED' });
  expect(readFileSync(join(home, 'calls'), 'utf8')).toMatch(/^store\n(?:get\n)+erase\n(?:get\n)*$/);
});

test.each([
  ['is not installed', undefined, /docker-credential-broken is not installed/],
  ['fails', 'echo hush-hush; exit 1', /docker-credential-broken does not work: it ends with 1/],
  ['talks nonsense', 'echo hush-hush', /its answer is no JSON/],
])('a helper that %s hinders nobody, and is named when the registry wants credentials', async (_what, script, why) => {
  mkdirSync(join(home, '.docker'));
  mkdirSync(join(home, 'bin'));
  writeFileSync(config(), JSON.stringify({ credsStore: 'broken' }));
  if (script !== undefined) writeFileSync(join(home, 'bin/docker-credential-broken'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const registry = remoteRegistry({ env: env(), settings: { [encrypted.host]: { ca: encrypted.ca } }, pause: 1 });
  const failure = await registry.tags({ registry: encrypted.host, repository: 'a' }).catch((error: unknown) => error as Error);
  expect(failure).toMatchObject({ code: 'REGISTRY_DENIED', hint: expect.stringMatching(why) as string });
  expect(JSON.stringify(failure)).not.toContain('hush-hush');
});

test('a configuration that is no JSON is left alone, and a linked one stays a link', async () => {
  mkdirSync(join(home, '.docker'));
  writeFileSync(config(), '{ "auths": ');
  const registry = remoteRegistry({ env: env(), settings: { [encrypted.host]: { ca: encrypted.ca } }, pause: 1 });
  await expect(registry.login(encrypted.host, secret)).rejects.toMatchObject({ code: 'NOT_WRITABLE' });
  expect(readFileSync(config(), 'utf8')).toBe('{ "auths": ');
  rmSync(config());
  writeFileSync(join(home, 'kept.json'), '{}');
  chmodSync(join(home, 'kept.json'), 0o644);
  symlinkSync(join(home, 'kept.json'), config());
  await registry.login(encrypted.host, secret);
  expect(statSync(join(home, 'kept.json')).mode & 0o777).toBe(0o600);
  expect(written()).toHaveProperty('auths');
});

test('$REGISTRY_AUTH_FILE and $DOCKER_CONFIG say where credentials are kept', async () => {
  const settings = { [encrypted.host]: { ca: encrypted.ca } };
  const places = [
    [{ ...env(), DOCKER_CONFIG: join(home, 'elsewhere') }, join(home, 'elsewhere/config.json')],
    [{ ...env(), DOCKER_CONFIG: join(home, 'elsewhere'), REGISTRY_AUTH_FILE: join(home, 'auth.json') }, join(home, 'auth.json')],
  ] as const;
  for (const [environment, place] of places)
    expect(await remoteRegistry({ env: environment, settings, pause: 1 }).login(encrypted.host, secret)).toEqual({ kind: 'file', place });
});

test('the list of repositories of a registry is searched', async () => {
  const registry = remoteRegistry({ env: env(), settings: { [encrypted.host]: { ca: encrypted.ca } }, pause: 1 });
  await registry.login(encrypted.host, secret);
  for (const repository of ['team/shop', 'team/shop-db', 'other'])
    await registry.put(parseReference(`${encrypted.host}/${repository}:1`), smallImage);
  expect(await registry.search({ registry: encrypted.host, text: 'shop' })).toEqual([
    { name: `${encrypted.host}/team/shop` },
    { name: `${encrypted.host}/team/shop-db` },
  ]);
  expect(await registry.search({ registry: encrypted.host, text: 'shop', limit: 1 })).toHaveLength(1);
});

const tar = tarOfOneFile('a', 'b');
const smallImage = imageOf(tar);

function imageOf(bytes: Buffer): Parameters<ReturnType<typeof remoteRegistry>['put']>[1] {
  const diffId = digestOf(bytes);
  const document = Buffer.from(JSON.stringify({ ...amd64, config: {}, rootfs: { type: 'layers', diff_ids: [diffId] } }));
  return { document, layers: [{ diffId, open: async () => Readable.from([bytes]) }] };
}

function digestOf(bytes: Buffer): Digest {
  return `sha256:${sha256(bytes)}` as Digest;
}

/** Host of the realm that a registry names. */
async function tokenHost(host: string): Promise<string> {
  const response = await fetch(`http://${host}/v2/`);
  return new URL(/realm="([^"]*)"/.exec(response.headers.get('www-authenticate')!)![1]!).host;
}

/** Keeps one password in a file, as the real ones keep many elsewhere. */
function installHelper(): void {
  mkdirSync(join(home, 'bin'));
  const script = `#!/bin/sh
cd '${home}'; echo "$*" >>calls
case $1 in
  store) cat >kept ;;
  get) cat >/dev/null; if [ -e kept ]; then cat kept; else echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) cat >/dev/null; rm -f kept ;;
esac
`;
  writeFileSync(join(home, 'bin/docker-credential-test'), script, { mode: 0o755 });
}
