/** The extension as people meet it: a folder of this machine in a page, its container in the same tab, and back. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBrowser, startCode, type BrowserRig, type CodeProcess, type Window } from './browser.ts';
import { debian, makeRig, type Rig } from './rig.ts';
import { workspaceNode } from './seed.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const seconds = 1000;

let rig: Rig;
let browser: BrowserRig;
let code: CodeProcess;
let cwd: string;
let shop: Window;

const config = {
  name: 'shop',
  image: debian,
  steps: [
    { name: 'tools', run: 'mkdir -p /opt/tools' },
    { name: 'dependencies', run: 'cp packages.txt /opt/packages; sleep 1', inputs: ['packages.txt'] },
    { name: 'assets', run: 'date > /opt/assets' },
  ],
  customizations: { vscode: { extensions: ['./tools/probe.vsix'], settings: { 'editor.rulers': [77] } } },
};
const text = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;
const write = (name: string, content: string): void => writeFileSync(join(cwd, name), content);

beforeAll(async () => {
  [rig, browser] = await Promise.all([makeRig(), startBrowser()]);
  cwd = rig.project({ 'devenv.json': text(config), 'packages.txt': 'express\n', 'src/main.js': "console.log('shop');\n" }, 'shop');
  await packProbe(join(cwd, 'tools/probe.vsix'));
  code = await startCode(rig, ['--local'], cwd);
  shop = await browser.open(code.url);
  await shop.ready();
}, 240 * seconds);
afterAll(async () => {
  await code?.[Symbol.asyncDispose]();
  await browser?.[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** An extension that leaves a file which says where its process is. */
async function packProbe(file: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-probe-'));
  const manifest = { name: 'probe', publisher: 'test', version: '1.0.0', engines: { vscode: '^1.100.0' }, main: 'main.js' };
  writeFileSync(join(folder, 'package.json'), text({ ...manifest, activationEvents: ['onStartupFinished'] }));
  writeFileSync(
    join(folder, 'main.js'),
    "exports.activate = () => require('node:fs').writeFileSync('/workspace/probe.txt', require('node:os').hostname());\n",
  );
  writeFileSync(join(folder, 'README.md'), 'For a test.\n');
  mkdirSync(join(file, '..'), { recursive: true });
  const vsce = join(root, 'node_modules/@vscode/vsce/vsce');
  const flags = ['--no-dependencies', '--allow-missing-repository', '--skip-license', '-o', file];
  await promisify(execFile)(workspaceNode(), [vsce, 'package', ...flags], { cwd: folder });
  rmSync(folder, { recursive: true });
}

/** Pictures for the extension's README, made only when they are asked for. */
async function picture(name: string): Promise<void> {
  if (process.env['DEVENV_SCREENSHOTS'] !== '1') return;
  mkdirSync(join(root, 'extension/images'), { recursive: true });
  await shop.page.waitForTimeout(700); // what moves has come to rest
  await shop.page.screenshot({ path: join(root, 'extension/images', `${name}.png`) });
}

async function told(pattern: RegExp): Promise<void> {
  await shop
    .notification(pattern)
    .first()
    .waitFor({ timeout: 40 * seconds });
}

/** A button of the notification that says this. */
async function choose(pattern: RegExp, name: string): Promise<void> {
  await told(pattern);
  await shop.notification(pattern).first().locator('.monaco-button', { hasText: name }).click();
}

async function statusBar(pattern: RegExp): Promise<void> {
  await shop.page
    .locator('.statusbar-item', { hasText: pattern })
    .first()
    .waitFor({ timeout: 40 * seconds });
}

async function inContainer(): Promise<void> {
  await shop.page.waitForURL(/environment=[0-9a-f]{16}/, { timeout: 60 * seconds });
  await shop.ready();
}

test('a folder with a devenv.json is offered to be reopened, and the same tab shows it in its container', async () => {
  await picture('offer');
  await choose(/has a devenv.json/, 'Reopen in Container');
  await inContainer();
  expect(await shop.files()).toContain('devenv.json');
  await statusBar(/devenv: running/);
  await shop.terminal('echo "<$(hostname)>"; cat /opt/packages', /<shop>\s+express/);
  await picture('inside');
});

test('extensions and settings that the file asks for are in the container', async () => {
  const probe = join(cwd, 'probe.txt');
  await expect.poll(() => existsSync(probe), { timeout: 40 * seconds }).toBe(true);
  expect(readFileSync(probe, 'utf8')).toBe('shop');
  const settings = await rig.ok(['exec', 'sh', '-c', 'cat ~/.devenv-server/data/Machine/settings.json'], { cwd });
  expect(JSON.parse(settings.stdout)).toMatchObject({ 'editor.rulers': [77] });
});

test('a change of what a step reads is told in the words of devenv status, and one click brings it in', async () => {
  write('packages.txt', 'express\npg\n');
  await told(/dependencies runs/);
  const { changes } = (await rig.devenv(['status', '--json'], { cwd })).json as { changes: { text: string; effect: string }[] };
  const [change] = changes;
  expect(change?.effect).toMatch(/^rebuild from step 2 \(about \d+ s\)$/);
  expect(
    await shop
      .notification(/dependencies runs/)
      .first()
      .innerText(),
  ).toContain(`${change?.text} · ${change?.effect}`);
  await statusBar(/rebuild from step 2/);
  await picture('rebuild');
  const reloaded = shop.page.waitForEvent('framenavigated', {
    predicate: (frame) => frame === shop.page.mainFrame(),
    timeout: 60 * seconds,
  });
  await choose(/dependencies runs/, 'Rebuild');
  await picture('progress');
  await reloaded;
  await shop.ready();
  expect((await rig.ok(['exec', 'cat', '/opt/packages'], { cwd })).stdout).toBe('express\npg\n');
  await statusBar(/devenv: running/);
});

test('a mistake in the file is at its place, with what was meant, and costs the window nothing', async () => {
  write('devenv.json', text(config).replace('"steps"', '"stepz"'));
  await choose(/has a mistake.*did you mean "steps"/, 'Open devenv.json');
  await shop.page.locator('.squiggly-error').first().waitFor();
  await shop.page.keyboard.press('Control+.');
  await shop.page.locator('.action-widget', { hasText: 'Change to "steps"' }).waitFor();
  await picture('fix');
  await shop.page.keyboard.press('Enter');
  await shop.page.keyboard.press('Control+s');
  await expect.poll(() => readFileSync(join(cwd, 'devenv.json'), 'utf8')).toBe(text(config));
  await statusBar(/devenv: running/);
});

test('a process inside that listens is noticed, and its port reaches this machine when that is wanted', async () => {
  const server = 'IO::Socket::INET->new(Listen => 5, LocalPort => 4321, ReuseAddr => 1)';
  const script = `my $s = ${server}; while (my $c = $s->accept) { print $c "HTTP/1.0 200 OK\\r\\n\\r\\nhere"; close $c }`;
  const serving = rig.devenv(['exec', '--', 'perl', '-MIO::Socket::INET', '-e', script], { cwd });
  await choose(/listens on port 4321/, 'Forward Port');
  await expect
    .poll(async () => (await (await fetch('http://127.0.0.1:4321/').catch(() => undefined))?.text()) ?? '', { timeout: 20 * seconds })
    .toBe('here');
  await rig.ok(['exec', '--', 'sh', '-c', "kill $(grep -l LocalPort /proc/[0-9]*/cmdline | tr -dc '0-9\\n')"], { cwd }).catch(() => {});
  await serving;
});

test('the view lists the environment and its port', async () => {
  await shop.page.locator('.activitybar [aria-label^="devenv"]').first().click();
  const view = shop.page.locator('.pane-body .monaco-list-rows').first();
  await view.getByText('localhost:4321').waitFor();
  expect(await view.innerText()).toContain('shop');
  await picture('environments');
});

test('Reopen Locally leads back to the folder on this machine', async () => {
  await shop.command('devenv: Reopen Locally');
  await shop.page.waitForURL((url) => url.searchParams.get('folder') === cwd, { timeout: 30 * seconds });
  await shop.ready();
  await statusBar(/devenv: running/);
});

test('a step that fails says so, and how to go on', async () => {
  write('devenv.json', text({ ...config, steps: [...config.steps, { name: 'broken', run: 'echo no such package >&2; exit 3' }] }));
  await choose(/broken runs/, 'Rebuild');
  await choose(/step "broken" ended with exit code 3/, 'Show Log');
  await shop.page.locator('.output-view-container, .part.panel').getByText('no such package').first().waitFor();
  await picture('failed');
  write('devenv.json', text(config));
});
