import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright-core';
import { onTestFailed } from 'vitest';
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
  /** Asks for what is edited to be saved, and returns what `file` of this machine has by now. */
  save(file: string): Promise<string>;
  /** Types into a new terminal and returns once `wanted` has matched what it shows. */
  terminal(line: string, wanted: RegExp): Promise<string>;
  /** The same in the terminal that is there. */
  type(line: string, wanted: RegExp): Promise<string>;
  /** Resolves when the page has been loaded anew. */
  loaded(): Promise<unknown>;
  /** Answers the question whether the authors of the folder are trusted. */
  trust(): Promise<void>;
  /** The notification that says this, with the pointer on it: it stays as long as somebody points at it. */
  told(text: RegExp): Promise<Locator>;
  /** Presses a button of the notification that says this. */
  choose(text: RegExp, button: string): Promise<void>;
  /** Waits until an item of the status bar says this. */
  statusBar(text: RegExp): Promise<void>;
  /** Waits until this tab shows the inside of an environment. */
  inside(): Promise<void>;
}

/** Milliseconds that anything may take in a page: a busy machine is many times slower than an idle one. */
export const patience = 180_000;

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
  context.setDefaultTimeout(patience);
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
      await page.locator('.monaco-workbench .explorer-folders-view .monaco-list-row').first().waitFor();
    },
    async command(title) {
      const input = page.locator('.quick-input-widget input[type=text]');
      const row = page.locator('.quick-input-widget .monaco-list-row', { hasText: title }).first();
      // A palette shows what made sense when it was opened, and on a busy machine it may begin to show only when one has typed.
      const open = async (): Promise<void> => {
        await page.keyboard.press('F1');
        await input.fill(`>${title}`, { timeout: 5000 });
        await row.waitFor({ timeout: 5000 });
      };
      await repeat(open, () => page.keyboard.press('Escape').then(() => false));
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
    async save(file) {
      await page.keyboard.press('Control+s');
      return readFileSync(file, 'utf8');
    },
    async terminal(line, wanted) {
      const open = (): Promise<void> => window.command('Terminal: Create New Terminal');
      await open();
      return await type(line, wanted, open);
    },
    type: (line, wanted) => type(line, wanted),
    loaded: () => page.waitForEvent('framenavigated', { predicate: (frame) => frame === page.mainFrame(), timeout: patience }),
    async trust() {
      await page.locator('.monaco-dialog-box', { hasText: 'trust the authors' }).getByText('Yes, I trust').click();
    },
    async told(text) {
      const shown = page.locator('.notification-list-item:visible', { hasText: text }).first();
      // Those that nobody touches hide behind the bell after a while.
      await shown.waitFor({ timeout: 5000 }).catch(async () => {
        await window.command('Notifications: Show Notifications');
        await shown.waitFor();
      });
      await shown.hover();
      return shown;
    },
    async choose(text, button) {
      const shown = await window.told(text);
      // Where the mouse is does not matter, and others that come move it: one that is drawn anew at that moment takes no click.
      const click = async (): Promise<void> => {
        await shown.locator('.monaco-button', { hasText: button }).dispatchEvent('click', undefined, { timeout: 5000 });
        await shown.waitFor({ state: 'hidden', timeout: 5000 });
      };
      await repeat(click, () => shown.isHidden());
    },
    async statusBar(text) {
      await page.locator('.statusbar-item', { hasText: text }).first().waitFor();
    },
    async inside() {
      await page.waitForURL(/environment=[0-9a-f]{16}/, { timeout: patience });
      await window.ready();
    },
  };
  return window;

  /** `again`: before the line is typed once more. One that a page restores takes nothing in until it is joined to its shell again. */
  async function type(line: string, wanted: RegExp, again?: () => Promise<void>): Promise<string> {
    const rows = page.locator('.xterm:visible .xterm-rows');
    const heard = new RegExp(line.slice(0, 8).replaceAll(/[$()<>?*+.[\]\\^{|}"]/g, '\\$&'));
    const enter = async (): Promise<void> => {
      await expectText(rows, /[#$]\s*$/, 20_000); // the prompt
      await page.locator('.xterm:visible .xterm-helper-textarea').focus();
      await page.keyboard.type(`${line}\n`);
      await expectText(rows, heard, 20_000);
    };
    await enter().catch(() =>
      repeat(async () => {
        await again?.();
        await enter();
      }),
    );
    return await expectText(rows, wanted);
  }
}

/**
 * For every devenv that a test starts which is to open editors: where client and server are, fetched once for this user of this
 * machine (25 s) and not for each checkout.
 */
export const editorEnvironment: Readonly<Record<string, string>> = {
  DEVENV_EDITOR_DIR: join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'devenv-tests/editor'),
  npm_config_fetch_retries: '6', // a registry that has a bad minute fails no test
  npm_config_fetch_retry_mintimeout: '1000',
  npm_config_fetch_retry_maxtimeout: '20000',
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

export interface CodeSettings {
  readonly cwd: string;
  /** Another devenv than the checkout's. */
  readonly program?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `devenv code --no-open` with these arguments and returns once it serves. */
export async function startCode(rig: Rig, args: readonly string[], settings: CodeSettings): Promise<CodeProcess> {
  const { cwd, program = launcher, env = {} } = settings;
  const child = spawn(program, ['code', '--no-open', '--json', ...args], {
    cwd,
    env: { ...rig.user.env, ...editorEnvironment, ...env },
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
  const opened = JSON.parse(output) as { url?: string; port: number; environmentId?: string };
  if (opened.url === undefined) throw new Error(`devenv code opened nothing\n${output}\n${said}`);
  return {
    ...opened,
    url: opened.url,
    pid: child.pid!,
    said: () => said,
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT');
      await exited;
    },
  };
}

declare module 'vitest' {
  interface TaskMeta {
    /** What was to be seen when a test failed; `npm test` repeats it at its end. */
    seen?: string;
  }
}

/** Keeps what a person would look at first when the test that runs now fails. */
export function keepWhatIsSeen(what: () => { readonly window: Window; readonly code: CodeProcess; readonly browser: BrowserRig }): void {
  onTestFailed(async ({ task }) => {
    const { window, code, browser } = what();
    const parts = [
      '.statusbar-item',
      '.notification-list-item-message',
      '.monaco-dialog-box',
      '.panel .view-line',
      '.xterm:visible .xterm-rows',
    ];
    const shown = await window.page.locator(parts.join(', ')).allInnerTexts();
    const lines = browser.said.filter((line) => /error|terminated/i.test(line) && !line.includes('404')).slice(-8);
    const texts = [...shown.filter((text) => text.trim() !== ''), code.said(), ...lines.map((line) => line.slice(0, 200))];
    task.meta.seen = `The window shows:\n${texts.join('\n').replaceAll('\u00a0', ' ')}`;
    console.log(task.meta.seen);
  });
}

/** Processes of this machine whose command line matches. */
export function processes(pattern: RegExp): { readonly pid: number; readonly command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return pattern.test(command) ? [{ pid: Number(name), command }] : [];
      } catch {
        return []; // it has ended
      }
    });
}

/**
 * What a person does when nothing happens: the same again, until it ends well or `isDone`. Keys and clicks for what a busy machine has
 * not drawn yet are lost.
 */
export async function repeat(action: () => Promise<unknown>, isDone: () => Promise<boolean> = () => Promise.resolve(false)): Promise<void> {
  for (const end = performance.now() + patience; ;) {
    try {
      await action();
      return;
    } catch (error) {
      if (await isDone()) return;
      if (performance.now() > end) throw error;
    }
  }
}

async function expectText(locator: Locator, wanted: RegExp, limit: number = patience): Promise<string> {
  for (const end = performance.now() + limit; ;) {
    const text = (await locator.innerText({ timeout: 1000 }).catch(() => '')).replaceAll('\u00a0', ' ');
    if (wanted.test(text)) return text;
    if (performance.now() > end) throw new Error(`The terminal never showed ${wanted}:\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
