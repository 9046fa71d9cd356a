import { expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { familiarName, formatReference, parseReference } from './reference.ts';

const digest = `sha256:${'a1'.repeat(32)}`;

test.each([
  ['node', 'docker.io/library/node:latest'],
  ['node:24', 'docker.io/library/node:24'],
  ['docker.io/node', 'docker.io/library/node:latest'],
  ['index.docker.io/library/node', 'docker.io/library/node:latest'],
  ['owner/name', 'docker.io/owner/name:latest'],
  ['quay.io/a/b/c:v1.2_3-4', 'quay.io/a/b/c:v1.2_3-4'],
  ['localhost/x', 'localhost/x:latest'],
  ['localhost:5000/x', 'localhost:5000/x:latest'],
  ['host:5000/x:1', 'host:5000/x:1'],
  ['Host/x', 'Host/x:latest'],
  ['127.0.0.1:5000/x__y--z', '127.0.0.1:5000/x__y--z:latest'],
  ['[::1]:5000/x', '[::1]:5000/x:latest'],
  [`node@${digest}`, `docker.io/library/node@${digest}`],
  [`host:1/a/b:tag@${digest}`, `host:1/a/b:tag@${digest}`],
])('%s means %s', (text, complete) => {
  expect(formatReference(parseReference(text))).toBe(complete);
  expect(formatReference(parseReference(complete))).toBe(complete);
});

test.each([
  '',
  ' node',
  'node ',
  'Node',
  'a//b',
  '/a',
  'a/',
  '-a',
  'a..b',
  'a___b',
  'host:port/a',
  'a:',
  'a:-x',
  `a:${'x'.repeat(129)}`,
  'a@',
  'a@sha256:12',
  `a@sha512:${'0'.repeat(128)}`,
  `a@${digest.toUpperCase()}`,
  'a'.repeat(256),
  '0'.repeat(64),
  'https://host/a',
  'a\nb',
])('%j is refused', (text) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }) as UserError);
});

test.each([
  ['docker.io/library/node:24', 'node:24'],
  ['docker.io/owner/name:1', 'owner/name:1'],
  ['docker.io/library/a/b:1', 'docker.io/library/a/b:1'],
  ['docker.io/a.b/name:1', 'docker.io/a.b/name:1'],
  ['docker.io/localhost/x:1', 'docker.io/localhost/x:1'],
  ['localhost/x:1', 'localhost/x:1'],
  ['quay.io/a/b:1', 'quay.io/a/b:1'],
])('%s is shown as %s, which means the same', (complete, familiar) => {
  expect([familiarName(complete), formatReference(parseReference(familiar))]).toEqual([familiar, complete]);
});
