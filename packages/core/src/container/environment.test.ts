import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Directories } from '../base/directories.ts';
import { Environments, type EnvironmentId, type EnvironmentRecord } from './environment.ts';

const id = '0123456789abcdef' as EnvironmentId;
let root: string;
let environments: Environments;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devenv-environment-'));
  environments = new Environments({ state: root } as Directories);
  mkdirSync(environments.folder(id), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const record: EnvironmentRecord = {
  schema: 1,
  environmentId: id,
  name: 'shop',
  folder: '/shop',
  configFile: '/shop/devenv.json',
  attach: [{ name: undefined, command: ['true'] }],
  hooksDone: {},
  createdAt: '2026-01-01T00:00:00.000Z',
  spec: {
    id: 'shop-1',
    labels: {},
    layer: undefined,
    hostname: 'shop',
    command: [],
    env: {},
    user: 'dev',
    workdir: '/workspace',
    mounts: [{ type: 'tmpfs', target: '/tmp' }],
    network: 'private',
    ports: [],
    limits: {},
    security: { capAdd: [], capDrop: [], seccomp: 'default', noNewPrivileges: false, privileged: false },
    certificates: undefined,
  } as unknown as EnvironmentRecord['spec'],
};

test('what was written is read', () => {
  environments.write(record);
  expect(environments.read(id)).toEqual(JSON.parse(JSON.stringify(record)));
  expect(environments.list()).toHaveLength(1);
});

test.each<[string, unknown]>([
  ['a list', []],
  ['null', null],
  ['only the schema', { schema: 1 }],
  ['no schema', { ...record, schema: undefined }],
  ['no specification', { ...record, spec: {} }],
  ['a command that is no list', { ...record, spec: { ...record.spec, command: 'sh' } }],
  ['hooks of a wrong form', { ...record, attach: ['true'] }],
  ["another environment's", { ...record, environmentId: 'fedcba9876543210' }],
])('a damaged record is none: %s', (_name, value) => {
  put(value);
  expect(environments.read(id)).toBe(undefined);
});

test("a newer devenv's environment is not entered, but listed, so that it can be removed", () => {
  put({ ...record, schema: 2, hooksDone: 'another form' });
  expect(() => environments.read(id)).toThrow('newer devenv');
  expect(environments.summary(id)?.spec.id).toBe('shop-1');
  expect(environments.list()).toHaveLength(1);
});

function put(value: unknown): void {
  writeFileSync(join(environments.folder(id), 'environment.json'), JSON.stringify(value));
}
