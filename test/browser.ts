import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { launcher, type Rig } from './rig.ts';

/** A browser with nothing from before. Disposed: it is gone, with its profile. */
export interface BrowserRig extends AsyncDisposable {
  readonly browser: Browser;
  readonly context: BrowserContext;
  /** Every address that any page of it has asked for. */
  readonly asked: readonly string[];
  /** What pages wrote on the console, and errors that nobody caught. */
  readonly said: readonly string[];
  open(url: string): Promise<Window>;
}

/** A page with VS Code in it. */
export interface Window {
  readonly page: Page;
  /** Waits until the workbench is there. */
  ready(): Promise<void>;
  /** Runs a command of the palette by its title. */
  command(title: string): Promise<void>;
  /** Names of what the explorer shows. */
  files(): Promise<readonly string[]>;
  openFile(name: string): Promise<void>;
  /** Types into a new terminal and returns once `wanted` has matched what it shows. */
  terminal(line: string, wanted: RegExp): Promise<string>;
  notification(text: RegExp): ReturnType<Page['locator']>;
}

const chromiumProgram = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

/** As VS Code's own tests start it: it asks nobody for anything by itself. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-3d-apis', // terminals draw text then, which can be read
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-dev-shm-usage',
];

export async function startBrowser(): Promise<BrowserRig> {
  if (!chromiumProgram) throw new Error('chromium is not installed: npm start installs what the tests need');
  const browser = await chromium.launch({ executablePath: chromiumProgram, headless: true, args: flags });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const [asked, said]: [string[], string[]] = [[], []];
  context.on('request', (request) => asked.push(request.url()));
  context.on('weberror', (error) => said.push(String(error.error())));
  context.on('console', (message) => said.push(`${message.type()} ${message.text()}`));
  context.on('page', (page) => page.on('websocket', (socket) => asked.push(socket.url())));
  return {
    browser,
    context,
    asked,
    said,
    async open(url) {
      const page = await context.newPage();
      await page.goto(url);
      return windowOn(page);
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
    },
  };
}

function windowOn(page: Page): Window {
  const window: Window = {
    page,
    async ready() {
      await page.locator('.monaco-workbench .explorer-folders-view .monaco-list-row').first().waitFor({ timeout: 180_000 }); // a busy machine
    },
    async command(title) {
      await page.keyboard.press('F1');
      const input = page.locator('.quick-input-widget input[type=text]');
      await input.waitFor();
      await input.fill(`>${title}`);
      const row = page.locator('.quick-input-widget .monaco-list-row', { hasText: title }).first();
      await row.waitFor();
      await row.click();
    },
    async files() {
      return await page.locator('.explorer-folders-view .monaco-list-row .label-name').allTextContents();
    },
    async openFile(name) {
      await page.locator('.explorer-folders-view .monaco-list-row', { hasText: name }).first().dblclick();
      await page.locator('.tabs-container .tab', { hasText: name }).waitFor();
      await page.locator('.editor-instance .view-lines').first().waitFor();
    },
    async terminal(line, wanted) {
      await window.command('Terminal: Create New Terminal');
      const shown = page.locator('.xterm:visible');
      await shown.waitFor();
      await page.locator('.xterm:visible .xterm-helper-textarea').focus();
      await page.waitForTimeout(500); // the shell's prompt has no mark to wait for
      await page.keyboard.type(`${line}\n`);
      const rows = page.locator('.xterm:visible .xterm-rows');
      await expectText(rows, wanted);
      return await rows.innerText();
    },
    notification: (text) => page.locator('.notification-toast', { hasText: text }),
  };
  return window;
}

/**
 * For every devenv that a test starts which is to open editors: where client and server are, fetched once for this user of this
 * machine (25 s) and not for each checkout.
 */
export const editorEnvironment: Readonly<Record<string, string>> = {
  DEVENV_EDITOR_DIR: join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'devenv-tests/editor'),
};

/** A `devenv code` that runs. Disposed: it has ended as by Ctrl-C. */
export interface CodeProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Absent for a window on this machine. */
  readonly environmentId?: string;
  /** What it has written to stderr. */
  said(): string;
}

/** Starts `devenv code --no-open` with these arguments and returns once it serves. */
export async function startCode(rig: Rig, args: readonly string[], cwd: string, program: string = launcher): Promise<CodeProcess> {
  const child = spawn(program, ['code', '--no-open', '--json', ...args], {
    cwd,
    env: { ...rig.user.env, ...editorEnvironment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, said] = ['', ''];
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.endsWith('\n')) resolve();
    });
    child.once('close', (code) => reject(new Error(`devenv code ended with ${code}\n${output}\n${said}`)));
  });
  return {
    ...(JSON.parse(output) as { url: string; port: number; environmentId?: string }),
    pid: child.pid!,
    said: () => said,
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT');
      await exited;
    },
  };
}

async function expectText(locator: ReturnType<Page['locator']>, wanted: RegExp): Promise<void> {
  for (const end = performance.now() + 20_000; ;) {
    const text = await locator.innerText().catch(() => '');
    if (wanted.test(text.replaceAll('\u00a0', ' '))) return;
    if (performance.now() > end) throw new Error(`The terminal never showed ${wanted}:\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
