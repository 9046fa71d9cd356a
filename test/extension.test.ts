/** The extension as people meet it: a folder of this machine in a page, its container in the same tab, and back. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keepWhatIsSeen, patience, repeat, startBrowser, startCode, type BrowserRig, type CodeProcess, type Window } from './browser.ts';
import { makeRig, type Rig } from './rig.ts';
import { workspaceNode } from './seed.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

let rig: Rig;
let browser: BrowserRig;
let code: CodeProcess;
let cwd: string;
let shop: Window;

const config = `{
  "name": "shop",
  "image": { "debian": "bookworm" },

  // Each step is one cached layer, and runs again only when what it reads has changed.
  "steps": [
    { "name": "tools", "run": "mkdir -p /opt/tools" },
    {
      "name": "dependencies",
      "run": "cp packages.txt /opt/packages; sleep 1",
      "inputs": ["packages.txt"]
    },
    { "name": "assets", "run": "date > /opt/assets" }
  ],

  "customizations": {
    "vscode": {
      "extensions": ["./tools/probe.vsix"],
      "settings": { "editor.rulers": [80] }
    }
  }
}
`;
// No JavaScript: what VS Code has for that keeps a small machine busy.
const main = `from http.server import BaseHTTPRequestHandler, HTTPServer


class Shop(BaseHTTPRequestHandler):
    """Every environment of this shop is the same, down to the last byte."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Hello from inside")


HTTPServer(("", 3000), Shop).serve_forever()
`;
const write = (name: string, content: string): void => writeFileSync(join(cwd, name), content);
/** Of a server inside, and here then; below those that the kernel gives away. */
const port = 20_000 + Math.floor(Math.random() * 10_000);

beforeAll(async () => {
  [rig, browser] = await Promise.all([makeRig(), startBrowser()]);
  cwd = rig.project({ 'devenv.json': config, 'packages.txt': 'express\n', 'main.py': main }, 'shop');
  await packProbe('probe');
  code = await startCode(rig, ['--local'], { cwd });
  shop = await browser.open(code.url);
  await shop.trust();
  await shop.ready();
  await shop.openFile('devenv.json');
}, 300_000);
afterAll(async () => {
  await code?.[Symbol.asyncDispose]();
  await browser?.[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

beforeEach(() => keepWhatIsSeen(() => ({ window: shop, code, browser })));

/** An extension in tools/ that leaves a file of its name which says where its process is. */
async function packProbe(name: string): Promise<void> {
  const file = join(cwd, `tools/${name}.vsix`);
  const folder = mkdtempSync(join(tmpdir(), 'devenv-probe-'));
  const manifest = { name, publisher: 'test', version: '1.0.0', engines: { vscode: '^1.100.0' }, main: 'main.js' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, activationEvents: ['onStartupFinished'] }));
  writeFileSync(
    join(folder, 'main.js'),
    `exports.activate = () => require('node:fs').writeFileSync('/workspace/${name}.txt', require('node:os').hostname());\n`,
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
  await shop.page.mouse.move(200, 600); // nothing says anything there
  await shop.page.locator('.statusbar-item', { hasText: 'Activating' }).waitFor({ state: 'detached' });
  await shop.page.waitForTimeout(700); // what moves has come to rest
  await shop.page.screenshot({ path: join(root, 'extension/images', `${name}.png`) });
}

test('a folder with a devenv.json is offered to be reopened, and the same tab shows it in its container', async () => {
  await shop.told(/has a devenv.json/);
  await picture('offer');
  await shop.choose(/has a devenv.json/, 'Reopen in Container');
  await shop.inside();
  expect(await shop.files()).toContain('devenv.json');
  await shop.statusBar(/devenv: running/);
  await shop.terminal('echo "<$(hostname)>"; cat /opt/packages', /<shop>\s+express/);
  await shop.openFile('main.py');
  await picture('inside');
});

test('extensions and settings that the file asks for are in the container', async () => {
  const probe = join(cwd, 'probe.txt');
  await expect.poll(() => existsSync(probe), { timeout: patience }).toBe(true);
  expect(readFileSync(probe, 'utf8')).toBe('shop');
  const settings = await rig.ok(['exec', 'sh', '-c', 'cat ~/.devenv-server/data/Machine/settings.json'], { cwd });
  expect(JSON.parse(settings.stdout)).toMatchObject({ 'editor.rulers': [80] });
});

test('a change of what a step reads is told in the words of devenv status, and one click brings it in', async () => {
  write('packages.txt', 'express\npg\n');
  const message = await (await shop.told(/dependencies runs/)).innerText();
  await shop.statusBar(/rebuild from step 2/);
  await picture('rebuild');
  const { changes } = (await rig.devenv(['status', '--json'], { cwd })).json as { changes: { text: string; effect: string }[] };
  const [change] = changes;
  expect(change?.effect).toMatch(/^rebuild from step 2 \(about \d+ s\)$/);
  expect(message).toContain(`${change?.text} · ${change?.effect}`);
  const loaded = shop.loaded();
  await shop.choose(/dependencies runs/, 'Rebuild');
  await loaded;
  await shop.ready();
  expect((await rig.ok(['exec', 'cat', '/opt/packages'], { cwd })).stdout).toBe('express\npg\n');
  await shop.statusBar(/devenv: running/);
});

test('a mistake in the file is at its place, with what was meant, and costs the window nothing', async () => {
  write('devenv.json', config.replace('"steps"', '"stepz"'));
  await shop.choose(/has a mistake.*Did you mean "steps"/, 'Open devenv.json');
  await shop.page.locator('.squiggly-error').first().waitFor();
  const fix = shop.page.locator('.action-widget', { hasText: 'Change to "steps"' });
  await repeat(async () => {
    await shop.page.keyboard.press('Control+.');
    await fix.waitFor({ timeout: 10_000 });
  });
  await picture('fix');
  await shop.page.keyboard.press('Enter');
  await shop.page.locator('.view-lines').getByText('"steps"').waitFor();
  await expect.poll(() => shop.save(join(cwd, 'devenv.json')), { timeout: patience }).toBe(config);
  await shop.statusBar(/devenv: running/);
});

/** Completion and hover in devenv.json, which come from its schema. */
async function expectHelp(inside: boolean): Promise<void> {
  const { page } = shop;
  await shop.openFile('devenv.json');
  const word = page.locator('.view-lines').getByText('"inputs"').first();
  const hover = async (): Promise<string> => {
    await page.mouse.move(200, 600);
    await word.hover();
    return await page
      .locator('.monaco-hover:visible')
      .first()
      .innerText({ timeout: 3000 })
      .catch(() => '');
  };
  // The editor asks once for each movement, and JSON's own extension may still be starting.
  await expect.poll(hover, { timeout: patience }).toContain('The workspace files this step can see');
  await page.locator('.view-lines').getByText('"shop"').first().click();
  for (const key of ['End', 'Enter']) await page.keyboard.press(key);
  const proposals = async (): Promise<string> => {
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+Space');
    return await page
      .locator('.suggest-widget:visible .monaco-list-rows')
      .innerText({ timeout: 3000 })
      .catch(() => '');
  };
  await expect.poll(proposals, { timeout: patience }).toMatch(/env[^]*hooks/);
  if (inside) {
    for (let row = 0; row < 8; row++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Control+Space'); // what is known of it
    await picture('complete');
  }
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+z');
  await expect.poll(() => shop.save(join(cwd, 'devenv.json')), { timeout: patience }).toBe(config);
  await page.locator('.statusbar-item [aria-label="No Problems"]').waitFor();
}

test('devenv.json has completion and hover in the container, and is found without fault', () => expectHelp(true));

/** A server inside that listens until it is ended. */
async function serveInside(number: number): Promise<AsyncDisposable> {
  const server = `IO::Socket::INET->new(Listen => 5, LocalPort => ${number}, ReuseAddr => 1)`;
  // Who closes without having read everything resets the connection, and the answer may be lost.
  const script = `my $s = ${server}; while (my $c = $s->accept) { while (<$c>) { last if /^\\s*$/ } print $c "HTTP/1.0 200 OK\\r\\n\\r\\nhere"; close $c }`;
  const serving = rig.devenv(['exec', '--', 'perl', '-MIO::Socket::INET', '-e', script], { cwd });
  return {
    async [Symbol.asyncDispose]() {
      await rig.devenv(['exec', '--', 'sh', '-c', "kill $(grep -l LocalPort /proc/[0-9]*/cmdline | tr -dc '0-9\\n')"], { cwd });
      await serving;
    },
  };
}

async function answerAt(address: string): Promise<string> {
  return (await (await fetch(`http://${address}/`).catch(() => undefined))?.text()) ?? '';
}

test('a process inside that listens is noticed, and its port reaches this machine when that is wanted', async () => {
  await using _server = await serveInside(port);
  await shop.choose(new RegExp(`listens on port ${port}`), 'Forward Port');
  await expect.poll(() => answerAt(`127.0.0.1:${port}`), { timeout: patience }).toBe('here');
});

test('one whose number is taken on this machine reaches it at another one', async () => {
  await using other = createServer().listen(port + 1, '127.0.0.1');
  await once(other, 'listening');
  await using _server = await serveInside(port + 1);
  await shop.choose(new RegExp(`listens on port ${port + 1}`), 'Forward Port');
  const text = await (await shop.told(/of this machine is taken/)).innerText();
  expect(await answerAt(/answers at (\S+:\d+)/.exec(text)?.[1] ?? '')).toBe('here');
});

test('the view lists the environment and its port', async () => {
  await shop.page.locator('.activitybar [aria-label^="devenv"]').first().click();
  const view = shop.page.locator('.pane-body .monaco-list-rows').first();
  await view.getByText(`localhost:${port}`).waitFor();
  expect(await view.innerText()).toContain('shop');
  await picture('environments');
});

test('other extensions and settings come with the next load of the window, which is offered', async () => {
  await packProbe('later');
  const more = config
    .replace('probe.vsix"', 'probe.vsix", "./tools/later.vsix"')
    .replace('[80] }', '[80], "editor.minimap.enabled": false }');
  write('devenv.json', more);
  const loaded = shop.loaded();
  await shop.choose(/asks for other extensions or settings/, 'Reload Window');
  await loaded;
  await expect.poll(() => existsSync(join(cwd, 'later.txt')), { timeout: patience }).toBe(true);
  expect(readFileSync(join(cwd, 'later.txt'), 'utf8')).toBe('shop');
  await shop.page.locator('.editor-instance .minimap').waitFor({ state: 'hidden' });
  write('devenv.json', config);
});

test('activating costs little: printed, since a busy machine would make it any number', async () => {
  await shop.command('Developer: Show Running Extensions');
  const rows = shop.page.locator('.runtime-extensions-editor .monaco-list-row');
  const own = rows.filter({ hasText: /^\s*devenv\s*0\.1\.0/ });
  await rows.first().click();
  // The list begins with what took longest, and only what is in sight is there.
  for (let page = 0; page < 50 && (await own.count()) === 0; page++) await shop.page.keyboard.press('PageDown');
  await own.waitFor();
  console.log('activation:', (await own.innerText()).replaceAll(/\s+/g, ' '));
});

test('Reopen Locally leads back to the folder on this machine', async () => {
  await shop.command('devenv: Reopen Locally');
  await shop.page.waitForURL((url) => url.searchParams.get('folder') === cwd, { timeout: patience });
  await shop.ready();
});

test('a step that fails says so, and how to go on', async () => {
  const told = shop.page.locator('.notification-list-item', { hasText: /assets runs/ }).first();
  // The watcher of a page that was just loaded may still be starting: it tells of the next change.
  const change = async (): Promise<boolean> => {
    write('devenv.json', config.replace('date > /opt/assets', 'echo no such asset >&2; exit 3'));
    return await told.waitFor({ timeout: 5000 }).then(
      () => true,
      () => false,
    );
  };
  await expect.poll(change, { timeout: patience }).toBe(true);
  await shop.choose(/assets runs/, 'Rebuild');
  await shop.choose(/step "assets" ended with exit code 3/, 'Show Log');
  const said = shop.page.locator('.part.panel').getByText('no such asset').first();
  // Should the panel miss it on a busy machine, it is asked for once more.
  await said.waitFor({ timeout: 30_000 }).catch(() => shop.command('devenv: Show Log'));
  await said.waitFor();
  write('devenv.json', config);
  await shop.statusBar(/devenv: running/);
});

/** What the palette has of us now. */
async function offered(): Promise<readonly string[]> {
  await shop.page.keyboard.press('F1');
  await shop.page.locator('.quick-input-widget input[type=text]').fill('>devenv: ');
  const rows = shop.page.locator('.quick-input-widget .monaco-list-row', { hasText: 'devenv: ' });
  await rows.first().waitFor();
  const names = await rows.locator('.label-name').allInnerTexts();
  await shop.page.keyboard.press('Escape');
  return names.flatMap((name) => (name.startsWith('devenv: ') ? [name.slice('devenv: '.length)] : [])).toSorted();
}

if (process.env['DEVENV_TEST_FULL'] === '1') {
  test('the palette has the commands that make sense, and no others', async () => {
    const ours = ['Focus on Environments View', 'Open Shell', 'Open devenv.json', 'Rebuild Without Cache', 'Rebuild and Reopen', 'Remove'];
    const wanted = [...ours, 'Reopen in Container', 'Show Log', 'Show Menu', 'Stop'];
    await expect.poll(offered, { timeout: patience }).toEqual(wanted);
  });

  test('devenv.json has completion and hover on this machine too', () => expectHelp(false));
}
