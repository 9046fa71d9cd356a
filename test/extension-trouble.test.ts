/** What people read when something that the extension needs is not there, and the way on from it. */
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  editorEnvironment,
  keepWhatIsSeen,
  patience,
  startBrowser,
  startCode,
  type BrowserRig,
  type CodeProcess,
  type CodeSettings,
  type Window,
} from './browser.ts';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
let browser: BrowserRig;
let cwd: string;
let environmentId: string;
const hosts: CodeProcess[] = [];

beforeAll(async () => {
  [rig, browser] = await Promise.all([makeRig(), startBrowser()]);
  cwd = rig.project({ 'devenv.json': { name: 'shop', image: debian } }, 'shop');
  environmentId = (await rig.ok(['up', '--json'], { cwd, env: editorEnvironment })).json['environmentId'] as string;
}, 300_000);
afterAll(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]();
  await browser?.[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** A window of a host of its own; `query`: what it shows instead of the folder on this machine. */
async function open(settings: Omit<CodeSettings, 'cwd'> = {}, query?: string): Promise<Window> {
  const code = await startCode(rig, ['--local'], { cwd, ...settings });
  hosts.push(code);
  const url = new URL(code.url);
  const token = url.searchParams.get('token')!;
  if (query !== undefined) url.search = query;
  url.searchParams.set('token', token);
  const window = await browser.open(url.href);
  keepWhatIsSeen(() => ({ window, code, browser }));
  return window;
}

const inContainer = (): string => `environment=${environmentId}&folder=/workspace`;

test('a server of another version is named, with what to do, and the window is not left without a word', async () => {
  const other = join(rig.base, 'other-editor');
  const own = editorEnvironment['DEVENV_EDITOR_DIR']!;
  const [key] = readdirSync(own).filter((name) => !name.startsWith('making-'));
  mkdirSync(join(other, key!, 'server'), { recursive: true });
  for (const part of ['client', 'node']) symlinkSync(join(own, key!, part), join(other, key!, part));
  for (const name of readdirSync(join(own, key!, 'server')))
    if (name !== 'product.json') symlinkSync(join(own, key!, 'server', name), join(other, key!, 'server', name));
  const product = JSON.parse(readFileSync(join(own, key!, 'server/product.json'), 'utf8')) as object;
  writeFileSync(join(other, key!, 'server/product.json'), JSON.stringify({ ...product, version: '1.136.0' }));
  const window = await open({ env: { DEVENV_EDITOR_DIR: other } }, inContainer());
  await window.told(/version 1\.136\.0.*version 1\.137\.0.*devenv code opens an editor that fits/s);
});

let joined: Window;

test('a window of an environment that was stopped meanwhile is offered to start it', async () => {
  await rig.ok(['stop'], { cwd });
  const window = await open({}, inContainer());
  const loaded = window.loaded();
  await window.choose(/environment shop that this window is in does not run/, 'Start');
  await loaded;
  await window.ready();
  await window.statusBar(/devenv: running/);
  joined = window;
});

test('a window of an environment that was removed meanwhile says so, and one that was in it leads back to its folder', async () => {
  await rig.ok(['down'], { cwd });
  const window = await open({}, inContainer());
  await window.told(/environment of this window is not on this machine any more.*reopen it in its container/s);
  keepWhatIsSeen(() => ({ window: joined, code: hosts[1]!, browser }));
  await joined.page.reload();
  await joined.choose(/that this window is in/, 'Reopen Locally');
  await joined.page.waitForURL((url) => url.searchParams.get('folder') === cwd, { timeout: patience });
});

test('what the engine misses is said with the package to install, and Diagnose shows what devenv doctor says', async () => {
  const window = await open({ env: { DEVENV_RUNTIME: '/none/crun' } });
  await window.trust();
  await window.ready();
  await window.command('devenv: Reopen in Container');
  await window.choose(/No OCI runtime works here.*apt-get install crun/s, 'Diagnose');
  const log = window.page.locator('.part.panel .view-lines');
  await expect.poll(() => log.innerText(), { timeout: patience }).toMatch(/runtime/i);
});
