import { expect, test } from 'vitest';
import { plainReason } from './plain-reason.ts';

test.each([
  [
    "the runtime's own line in front is left out",
    'exec: No such file or directory\nError: It cannot run: /run/node: exec: No such file or directory\nHint: It needs glibc\n',
    'It cannot run: /run/node: exec: No such file or directory. Hint: It needs glibc',
  ],
  [
    'what the server says in front stays',
    "the editor's server ended (1):\nno space.\nError: It says why above.\n",
    "the editor's server ended (1): no space. Error: It says why above.",
  ],
])('%s', (_what, said, reason) => {
  expect(plainReason(said)).toBe(reason);
});
