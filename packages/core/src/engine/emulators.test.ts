import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { emulatedArchitectures } from './emulators.ts';

/** As the kernel shows a registration. */
const entry = (magic: string, flags = 'OCF', state = 'enabled'): string =>
  `${state}\ninterpreter /usr/bin/qemu\nflags: ${flags}\noffset 0\nmagic ${magic}\nmask ffffffffffffff00fffffffffffffffffeffffff\n`;
const magicOf = (kind: string, machine: string): string => `7f454c46${kind}010000000000000000000200${machine}`.slice(0, 36) + machine;

test('an emulator counts by the programs it takes, when it is enabled and works inside containers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-emulators-'));
  const files: Record<string, string> = {
    status: 'enabled\n',
    register: '',
    'any-name': entry(magicOf('0201', 'b700')),
    'qemu-s390x': entry(magicOf('0202', '0016')),
    'qemu-arm': entry(magicOf('0101', '2800'), ''),
    'qemu-riscv64': entry(magicOf('0201', 'f300'), 'OCF', 'disabled'),
    python: 'enabled\ninterpreter /usr/bin/python\nflags: F\nextension .py\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  expect(emulatedArchitectures(folder)).toEqual(['arm64', 's390x']);
  expect(emulatedArchitectures(join(folder, 'none'))).toEqual([]);
  rmSync(folder, { recursive: true });
});
