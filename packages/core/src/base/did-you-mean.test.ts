import { expect, test } from 'vitest';
import { didYouMean, nearest } from './did-you-mean.ts';

test('a slip is recognised, another word is not', () => {
  const names = ['name', 'image', 'ports', 'mounts', 'certificates'];
  expect(nearest('nmae', names)).toBe('name');
  expect(nearest('PORTS', names)).toBe('ports');
  expect(nearest('certficate', names)).toBe('certificates');
  expect(nearest('volumes', names)).toBe(undefined);
  expect(didYouMean('imag', names)).toBe('did you mean "image"?');
});

test('an endless word is not compared', () => {
  expect(nearest('a'.repeat(1_000_000), ['a'])).toBe(undefined);
});
