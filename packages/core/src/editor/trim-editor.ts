import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What nobody needs here and takes hundreds of megabytes: assistants that want an account elsewhere, and a sandbox of theirs. */
const unwanted = /^node_modules\/(?:@github\/copilot[^/]*|@microsoft\/mxc-sdk)(?:\/|$)/;

/** Takes the unwanted packages out of a folder's package.json and npm-shrinkwrap.json, so that npm does not fetch them. */
export function prepareDependencies(folder: string): void {
  const lockFile = join(folder, 'npm-shrinkwrap.json');
  const lock = JSON.parse(readFileSync(lockFile, 'utf8')) as { packages: Record<string, Dependents> };
  for (const path of Object.keys(lock.packages)) if (unwanted.test(path)) delete lock.packages[path];
  for (const each of Object.values(lock.packages)) dropUnwanted(each);
  writeFileSync(lockFile, JSON.stringify(lock));
  const manifestFile = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as Dependents;
  dropUnwanted(manifest);
  writeFileSync(manifestFile, JSON.stringify(manifest));
}

interface Dependents {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

function dropUnwanted({ dependencies = {}, optionalDependencies = {} }: Dependents): void {
  for (const list of [dependencies, optionalDependencies])
    for (const name of Object.keys(list)) if (unwanted.test(`node_modules/${name}`)) delete list[name];
}

/**
 * Two packages of the server exist as C++ only, which would take compilers and minutes: its log becomes plain files, and the
 * watchdog nothing, since what it watches for, a parent that died, cannot outlive the container here. What else would be compiled
 * (Kerberos for proxies, an index of assistants' talks, ids of Windows) the server does without, and says so in its log.
 */
export function replaceNatives(server: string): void {
  const replace = (name: string, text: string): void => {
    const folder = join(server, 'node_modules', name);
    if (!existsSync(folder)) return;
    const { main = 'index.js' } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { main?: string };
    writeFileSync(join(folder, main.endsWith('.js') ? main : `${main}.js`), text);
  };
  replace('@vscode/spdlog', plainLog);
  replace('@vscode/native-watchdog', 'exports.start = () => {};\n');
}

/** The part of spdlog's interface that VS Code uses (platform/log/node/spdlogLog.ts); it imports names, which Node finds only where each is assigned. */
const plainLog = `const { appendFileSync, mkdirSync } = require('node:fs');
const names = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
class Logger {
  constructor(name, file) {
    try { mkdirSync(require('node:path').dirname(file), { recursive: true }); } catch {}
    this.name = name; this.file = file; this.level = 2; this.clear = false;
  }
  log(level, text) {
    if (level < this.level || !this.file) return;
    try { appendFileSync(this.file, this.clear ? text : new Date().toISOString() + ' [' + names[level] + '] ' + text + '\\n'); } catch {}
  }
  getLevel() { return this.level; }
  setLevel(level) { this.level = level; }
  setPattern() {}
  clearFormatters() { this.clear = true; }
  flush() {}
  drop() { this.file = undefined; }
}
names.forEach((name, level) => { Logger.prototype[name] = function (text) { this.log(level, text); }; });
const make = async (name, file) => new Logger(name, file);
exports.version = 0;
exports.Logger = Logger;
exports.setLevel = () => {};
exports.setFlushOn = () => {};
exports.shutdown = () => {};
exports.createRotatingLogger = make;
exports.createAsyncRotatingLogger = make;
`;

/** Removes what is of no use here: for people who debug the editor itself, for other machines, in other languages. */
export function leaveOut(folder: string): void {
  const other = process.arch === 'arm64' ? 'x64' : 'arm64';
  const patterns = [
    '{client,server}/**/*.map',
    'client/nls',
    'server/extensions/copilot',
    `server/node_modules/@vscode/ripgrep-universal/bin/{darwin,win32}-*`,
    `server/node_modules/@vscode/ripgrep-universal/bin/linux-{${other},arm,ia32,ppc64,riscv64,s390x}`,
    `server/node_modules/node-pty/{prebuilds/{darwin,win32}-*,prebuilds/linux-${other},deps,third_party,src}`,
    'server/node_modules/@vscode/{sqlite3,windows-process-tree,windows-registry}/{deps,src}',
  ];
  for (const path of globSync(patterns, { cwd: folder })) rmSync(join(folder, path), { recursive: true, force: true });
}
