import { readdirSync } from 'node:fs';
import { readText } from '../base/files.ts';

const registrations = '/proc/sys/fs/binfmt_misc';

/** e_machine, EI_CLASS and EI_DATA of programs (elf(5)) for the processors that images are made for. */
const machines: Readonly<Record<string, string>> = {
  '0201b700': 'arm64',
  '01012800': 'arm',
  '02013e00': 'amd64',
  '01010300': '386',
  '02011500': 'ppc64le',
  '0201f300': 'riscv64',
  '02020016': 's390x',
  '02010201': 'loong64',
};

/**
 * Architectures whose programs the kernel hands to an emulator that also works inside containers, whatever it is called
 * (kernel, admin-guide/binfmt-misc.rst): enabled, and opened at registration (flag F), since an image does not hold it.
 */
export function emulatedArchitectures(folder: string = registrations): readonly string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // a kernel without binfmt_misc
  }
  const found = names.flatMap((name) => {
    const text = (name !== 'register' && name !== 'status' && readText(`${folder}/${name}`)) || '';
    const magic = /^magic 7f454c46(\w{4})\w{24}(\w{4})/m.exec(text);
    if (!magic || !text.startsWith('enabled') || !/^flags:.*F/m.test(text) || !/^offset 0$/m.test(text)) return [];
    return machines[`${magic[1]}${magic[2]}`] ?? [];
  });
  return [...new Set(found)].toSorted();
}
