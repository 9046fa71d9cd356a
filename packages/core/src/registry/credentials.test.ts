import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findCredentials } from './credentials.ts';

let home: string;
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'devenv-home-'))));
afterEach(() => rmSync(home, { recursive: true }));

const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
const password = (user: string, secret: string) => ({ kind: 'password', user, password: secret });

function write(path: string, content: unknown): string {
  const file = join(home, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

test('without files there are none', async () => {
  expect(await findCredentials('a.example', 'b', { HOME: home })).toBeUndefined();
  expect(await findCredentials('a.example', 'b', {})).toBeUndefined();
});

test('each form that Docker and Podman write is read', async () => {
  write('.docker/config.json', {
    auths: {
      'plain.example': auth('user:pa:ss'),
      'fields.example': { username: 'user', password: 'secret' },
      'identity.example': { ...auth('00000000-0000-0000-0000-000000000000:'), identitytoken: 'refresh' },
      'bearer.example': { registrytoken: 'token' },
      'helper.example': {},
      'port.example:5000': auth('user:port'),
      'https://scheme.example': auth('user:scheme'),
      'https://index.docker.io/v1/': auth('user:hub'),
    },
  });
  const found = (host: string) => findCredentials(host, 'x/y', { HOME: home });
  expect(await found('plain.example')).toEqual(password('user', 'pa:ss'));
  expect(await found('fields.example')).toEqual(password('user', 'secret'));
  expect(await found('identity.example')).toEqual({ kind: 'identity', token: 'refresh' });
  expect(await found('bearer.example')).toEqual({ kind: 'bearer', token: 'token' });
  expect(await found('helper.example')).toBeUndefined();
  expect(await found('port.example:5000')).toEqual(password('user', 'port'));
  expect(await found('port.example')).toBeUndefined();
  expect(await found('scheme.example')).toEqual(password('user', 'scheme'));
  for (const host of ['docker.io', 'registry-1.docker.io', 'auth.docker.io']) expect(await found(host)).toEqual(password('user', 'hub'));
  expect(await found('docker.io.example')).toBeUndefined();
  expect(await found('__proto__')).toBeUndefined();
});

test('the most exact entry of the first file that has one counts', async () => {
  const first = write('first.json', { auths: { 'a.example/team': auth('team:1'), 'a.example': auth('all:1') } });
  write('docker/config.json', { auths: { 'a.example/team/image': auth('image:2'), 'b.example': auth('b:2') } });
  const env = { REGISTRY_AUTH_FILE: first, DOCKER_CONFIG: join(home, 'docker') };
  expect(await findCredentials('a.example', 'team/image', env)).toEqual(password('team', '1'));
  expect(await findCredentials('a.example', 'other', env)).toEqual(password('all', '1'));
  expect(await findCredentials('b.example', 'other', env)).toEqual(password('b', '2'));
});

test.each([
  '',
  'nonsense',
  'null',
  '[]',
  '{"auths":null}',
  '{"auths":{"a.example":null}}',
  '{"auths":{"a.example":{"auth":7}}}',
  '{"auths":{"a.example":{"auth":"bm9jb2xvbg=="}}}',
])('a file that holds %j gives none', async (content) => {
  write('.docker/config.json', content);
  expect(await findCredentials('a.example', 'b', { HOME: home })).toBeUndefined();
});
