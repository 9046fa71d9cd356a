import { expect, test } from 'vitest';
import { customizationsOf } from './customizations.ts';

test('extensions are names of the gallery and files of the workspace, each once', () => {
  const extensions = ['a.b', './tools/own.vsix', 'more.vsix', '/opt/x.vsix', 'a.b'];
  expect(customizationsOf({ vscode: { extensions } }, '/workspace').extensions).toEqual([
    'a.b',
    '/workspace/tools/own.vsix',
    '/workspace/more.vsix',
    '/opt/x.vsix',
  ]);
});

test('a leading - keeps out what another file asks for, however it is written', () => {
  expect(customizationsOf({ vscode: { extensions: ['A.b', 'c.d', '-a.B'] } }, '/w').extensions).toEqual(['c.d']);
});

test('what is not of the form asks for nothing', () => {
  const nothing = { extensions: [], settings: {} };
  for (const vscode of [undefined, 1, [], { extensions: 'a.b', settings: [] }, { extensions: [1, null, ''] }])
    expect(customizationsOf({ vscode }, '/w')).toEqual(nothing);
});
