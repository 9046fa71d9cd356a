import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Adds this machine's Perl to a root directory, without its modules: its `syscall` calls the kernel with no library between. */
export function addPerl(directory: string): void {
  const program = '/usr/bin/perl'; // of perl-base, which every Debian has
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(?:=> )?(\/\S+) \(/g);
  for (const path of [program, ...[...libraries].map(([, library]) => library!)]) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    copyFileSync(path, join(directory, path)); // with its mode; links are followed
  }
}
