/** What the extension's commands do, one by one; and that it does nothing in a folder that is not trusted. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  editorEnvironment,
  keepWhatIsSeen,
  patience,
  processes,
  startBrowser,
  startCode,
  type BrowserRig,
  type CodeProcess,
  type Window,
} from './browser.ts';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
let browser: BrowserRig;
let code: CodeProcess;
let cwd: string;
let shop: Window;

const write = (run: string, more: object = {}): void =>
  writeFileSync(
    join(cwd, 'devenv.json'),
    JSON.stringify({ name: 'shop', image: debian, steps: [{ name: 'stamp', run }], ...more }, undefined, 2),
  );

beforeAll(async () => {
  [rig, browser] = await Promise.all([makeRig(), startBrowser()]);
  cwd = rig.project({ 'read.md': '# Shop\n' }, 'shop');
  code = await startCode(rig, ['--local'], { cwd, env: { SHELL: '/bin/bash' } }); // VS Code sees what is done in it
  shop = await browser.open(code.url);
}, 300_000);
afterAll(async () => {
  await code?.[Symbol.asyncDispose]();
  await browser?.[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});
beforeEach(() => keepWhatIsSeen(() => ({ window: shop, code, browser })));

const icon = () => shop.page.locator('.activitybar .action-label[aria-label^="devenv"]').first();

/** What the log shows. */
async function logged(pattern: RegExp): Promise<void> {
  await shop.command('devenv: Show Log');
  const lines = shop.page.locator('.part.panel .view-lines');
  await expect.poll(() => lines.innerText().then((text) => text.replaceAll('\u00a0', ' ')), { timeout: patience }).toMatch(pattern);
}

/** For the page: what it has kept of our extension, which it writes with a delay. */
const remembered = `new Promise((resolve) => {
  const opening = indexedDB.open('vscode-web-state-db-global');
  opening.onsuccess = () => {
    const asked = opening.result.transaction('ItemTable').objectStore('ItemTable').get('devenv.devenv');
    asked.onsuccess = () => { opening.result.close(); resolve(String(asked.result)); };
  };
})`;

async function atHome(): Promise<void> {
  await shop.page.waitForURL((url) => url.searchParams.get('folder') === cwd && !url.searchParams.has('environment'), {
    timeout: patience,
  });
  await shop.ready();
}

test('a folder of this machine is asked about, and nothing of ours is there until it is trusted', async () => {
  await shop.page.locator('.monaco-dialog-box', { hasText: 'trust the authors' }).getByText('No, I').click();
  await shop.ready();
  await shop.statusBar(/Restricted Mode/);
  expect(await icon().count()).toBe(0);
  await shop.command('Workspaces: Manage Workspace Trust');
  await shop.page
    .locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust/ })
    .first()
    .click();
  await icon().waitFor();
  await shop.page.locator('.action-label[aria-label^="Close Modal"]:visible').first().click();
});

test('Add devenv.json writes one that devenv understands, and opens it', async () => {
  await shop.command('devenv: Add devenv.json');
  await shop.page.locator('.tabs-container .tab', { hasText: 'devenv.json' }).waitFor();
  expect((await rig.ok(['config', '--json'], { cwd })).json).toMatchObject({ outcome: 'success' });
  write('date +%s%N > /opt/stamp');
  await shop.statusBar(/devenv: not built/);
});

test("Don't Ask Again is kept for the folder", async () => {
  await shop.choose(/has a devenv.json/, "Don't Ask Again");
  await expect.poll(() => shop.page.evaluate(remembered), { timeout: patience }).toContain('offerToReopen');
  await shop.page.reload();
  await shop.ready();
  await shop.statusBar(/devenv: not built/);
  await shop.command('devenv: Show Log');
  await shop.page.locator('.part.panel .output-view').waitFor(); // by now it would have asked
  expect(await shop.page.locator('.notification-list-item').count()).toBe(0);
});

test('a build that is cancelled in its notification ends, leaves nothing running and is no error', async () => {
  write('sleep 608.5');
  await shop.statusBar(/devenv: not built/);
  await shop.command('devenv: Reopen in Container');
  await shop.statusBar(/Step 1 of 1: stamp/);
  const sleeping = (): unknown[] => processes(/^sleep 608\.5/);
  await expect.poll(() => sleeping().length, { timeout: patience }).toBe(1);
  await shop.command('devenv: Show Menu');
  const menu = shop.page.locator('.quick-input-widget .monaco-list-row');
  await menu.filter({ hasText: 'Show Log' }).waitFor();
  expect((await menu.allInnerTexts()).join()).not.toMatch(/Rebuild|Reopen|Stop|Remove/);
  await shop.page.keyboard.press('Escape');
  await shop.choose(/Step 1 of 1: stamp/, 'Cancel');
  await shop.statusBar(/devenv: not built/);
  expect(sleeping()).toEqual([]);
  await logged(/Stopped\./);
  expect(await shop.page.locator('.notification-list-item', { hasText: /Try Again|Cancel/ }).count()).toBe(0);
});

test('Open Shell in a window that is inside is a terminal of the container', async () => {
  write('date +%s%N > /opt/stamp');
  await shop.command('devenv: Reopen in Container');
  await shop.inside();
  await shop.statusBar(/devenv: running/);
  await shop.command('devenv: Open Shell');
  await shop.type('echo "<$(hostname)>"', /<shop>/);
});

test('a window waits while the hooks of a rebuild run, and is in the new container and its workspace then', async () => {
  const hooks = { create: 'if [ -e slow ]; then rm slow; sleep 12; fi; date > /opt/hook' }; // slow once
  writeFileSync(join(cwd, 'slow'), '');
  write('date +%s%N > /opt/stamp; date > /opt/more', { workspace: '/shop', hooks });
  await shop.statusBar(/rebuild from step 1/);
  const told = shop.page.locator('.monaco-dialog-box', { hasText: 'Cannot reconnect' }).waitFor();
  const outcome = Promise.race([shop.loaded().then(() => 'reloaded'), told.then(() => 'told that it cannot reconnect')]);
  told.catch(() => {}); // it never is
  await shop.command('devenv: Rebuild and Reopen');
  expect(await outcome).toBe('reloaded');
  await shop.inside();
  expect(new URL(shop.page.url()).searchParams.get('folder')).toBe('/shop');
  await shop.statusBar(/devenv: running/);
  await rig.ok(['exec', 'test', '-s', '/opt/hook', '-a', '-s', '/opt/more'], { cwd });
});

test('an environment that ends while a window is in it is offered to be started; its hooks run to their end, and the window goes on', async () => {
  await rig.ok(['stop'], { cwd });
  write('date +%s%N > /opt/stamp; date > /opt/more', { workspace: '/shop', hooks: { start: 'sleep 6; date > /opt/started' } });
  const loaded = shop.loaded();
  await shop.choose(/does not run/, 'Start');
  await loaded;
  await shop.ready();
  await shop.statusBar(/devenv: running/);
  await rig.ok(['exec', 'test', '-s', '/opt/started'], { cwd });
});

test('one that is started again from elsewhere takes all its windows along, and what was written meanwhile', async () => {
  await shop.openFile('read.md');
  const other = await browser.open(shop.page.url());
  await other.ready();
  await rig.ok(['stop'], { cwd });
  const loaded = Promise.all([shop.loaded(), other.loaded()]);
  await shop.page.locator('.editor-instance .view-lines').first().click();
  await shop.page.keyboard.type('written ');
  await shop.page.waitForTimeout(5000); // VS Code keeps what is not saved a second or two after it was typed
  await rig.ok(['up'], { cwd, env: editorEnvironment });
  await loaded;
  for (const window of [other, shop]) await window.ready();
  await other.page.close();
  await shop.statusBar(/devenv: running/);
  await expect.poll(() => shop.save(join(cwd, 'read.md')), { timeout: patience }).toContain('written ');
  writeFileSync(join(cwd, 'read.md'), '# Shop\n');
});

test('Reopen Locally leads back, and the environment goes on; terminals find devenv, and its profile is a shell in the environment', async () => {
  await shop.command('devenv: Reopen Locally');
  await atHome();
  await shop.statusBar(/devenv: running/);
  await shop.terminal('devenv ps', /shop/);
  // VS Code lists what extensions contribute from the first terminal on.
  await shop.command('Create New Terminal (With Profile)');
  await shop.page.locator('.quick-input-widget .monaco-list-row', { hasText: 'devenv' }).first().click();
  await shop.type('echo "<$(hostname)>"', /<shop>/);
});

test('Rebuild Without Cache runs every step again', async () => {
  const stamp = async (): Promise<string> => (await rig.ok(['exec', 'cat', '/opt/stamp'], { cwd })).stdout;
  const before = await stamp();
  await shop.command('devenv: Rebuild Without Cache');
  await shop.inside();
  await shop.statusBar(/devenv: running/);
  expect(await stamp()).not.toBe(before);
});

test('Stop ends the environment; a window in it shows the folder on this machine then', async () => {
  await shop.command('devenv: Stop');
  await atHome();
  await shop.statusBar(/devenv: stopped/);
});

test('Open devenv.json opens it, and Remove asks first', async () => {
  await shop.command('devenv: Open devenv.json');
  await shop.page.locator('.tabs-container .tab', { hasText: 'devenv.json' }).waitFor();
  const question = shop.page.locator('.monaco-dialog-box', { hasText: 'Remove the environment of shop?' });
  await shop.command('devenv: Remove');
  await question.getByText('Cancel', { exact: true }).click();
  await shop.statusBar(/devenv: stopped/);
  await shop.command('devenv: Remove');
  await question.getByText('Remove', { exact: true }).click();
  await shop.statusBar(/devenv: not built/);
  expect((await rig.ok(['ps', '--json'], { cwd })).json).toMatchObject({ environments: [] });
});

test('what devenv does in a terminal is noticed; the view opens and stops environments', async () => {
  await shop.terminal('devenv up; echo "<$?>"', /<0>/);
  await shop.statusBar(/devenv: running/);
  await icon().click();
  const row = shop.page.locator('.pane-body .monaco-list-row', { hasText: 'shop' });
  const act = async (name: string): Promise<void> => {
    await row.hover();
    await row.locator(`.action-label[aria-label="${name}"]`).click();
  };
  await row.getByText(/running/).waitFor();
  await act('Stop');
  await row.getByText(/stopped/).waitFor();
  await act('Open in Container');
  await shop.inside();
  await shop.statusBar(/devenv: running/);
  expect(existsSync(join(cwd, 'devenv.json')) && readFileSync(join(cwd, 'read.md'), 'utf8')).toBe('# Shop\n');
});
