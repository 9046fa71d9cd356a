import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import makeSeed, { seedFolder } from '../test/seed.ts';
import { outputOf, timed, type Command } from './command.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Our program as it is in the checkout now, and one folder that holds all that is written. Disposed: nothing is left. */
export interface Ours extends AsyncDisposable {
  readonly work: string;
  /** What every program of the benchmark runs with. */
  readonly env: Readonly<Record<string, string>>;
  /** The Debian base, unpacked. */
  readonly debianLayer: string;
  /** Where containers, layers and caches are: DEVENV_BASE_DIR. */
  readonly base: string;
  /** Makes a folder with these files; a value that is no string is written as JSON. */
  project(name: string, files: Readonly<Record<string, unknown>>): string;
  command(cwd: string, ...args: readonly string[]): Command;
  time(cwd: string, ...args: readonly string[]): Promise<number>;
}

export async function makeOurs(): Promise<Ours> {
  await makeSeed();
  const work = mkdtempSync(join(realpathSync(tmpdir()), 'devenv-bench-'));
  const base = join(work, 'devenv');
  mkdirSync(base);
  mkdirSync(join(work, 'home'));
  let program: string;
  try {
    execFileSync('cp', ['-al', join(seedFolder(), 'data'), base]);
    program = copyProgram(work);
  } catch (error) {
    rmSync(work, { recursive: true });
    throw error;
  }
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: join(work, 'home'), LANG: 'C.UTF-8' };
  const folders = new Set<string>();
  const command = (cwd: string, ...args: readonly string[]): Command => ({ program, args, cwd, env: { ...env, DEVENV_BASE_DIR: base } });
  return {
    work,
    env,
    base,
    debianLayer: globSync(join(base, 'data/layers/*'))[0]!,
    command,
    time: (cwd, ...args) => timed(command(cwd, ...args)),
    project(name, files) {
      const folder = join(work, 'projects', name);
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
      }
      folders.add(folder);
      return folder;
    },
    async [Symbol.asyncDispose]() {
      for (const folder of folders)
        if (existsSync(join(folder, 'devenv.json'))) await outputOf(command(folder, 'down', '--volumes')).catch(() => {});
      rmSync(work, { recursive: true, force: true });
    },
  };
}

/** A copy of what was built: the checkout may be built again meanwhile. */
function copyProgram(work: string): string {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs')]);
  const folder = join(work, 'program/packages/cli');
  mkdirSync(folder, { recursive: true });
  for (const name of ['bin', 'dist', 'package.json']) cpSync(join(root, 'packages/cli', name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'packages/cli/node_modules'), join(folder, 'node_modules'));
  symlinkSync(join(root, 'node_modules'), join(work, 'program/node_modules'));
  return join(folder, 'bin/devenv');
}
