import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform, type Core } from '../perform.ts';
import { bridge } from '../verbs/bridge.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Code extends DevenvCommand {
  static override summary = 'Open the environment in VS Code, on the desktop or in the browser.';
  static override usage = 'code [--local] [--browser] [--no-open] [--port PORT] [FOLDER]';
  static override examples: Command.Example[] = ['devenv code', 'devenv code --local ~/shop', 'devenv code --no-open --port 8300'];
  static override args: Interfaces.ArgInput = { folder: Args.string({ ignoreStdin: true, description: 'instead of the current one' }) };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    local: Flags.boolean({ summary: 'show the folder on this machine; Reopen in Container is one click from there' }),
    open: Flags.boolean({ summary: 'open the browser', default: true, allowNo: true }),
    browser: Flags.boolean({ summary: 'in the browser, also where an editor of the desktop could open' }),
    port: Flags.integer({ summary: 'serve at this port of 127.0.0.1', helpValue: 'PORT', min: 1, max: 65535 }),
    bridge: Flags.string({
      summary: 'be the pipe to the server in an environment, for an editor (docs/editors.md)',
      helpValue: 'ID',
      hidden: true,
    }),
    commit: Flags.string({ summary: 'of the editor that wants the pipe', helpValue: 'COMMIT', hidden: true }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Code);
    const shared = sharedValues(flags);
    const environmentId: string | undefined = flags['bridge'];
    if (environmentId !== undefined) return await bridge({ ...shared, environmentId, commit: flags['commit'] });
    return await perform('code', shared, async ({ core, options }) => {
      const [folder, port]: [string | undefined, number | undefined] = [args['folder'], flags['port']];
      const opened = await core.code({
        ...options,
        ...(folder === undefined ? {} : { folder }),
        ...(port === undefined ? {} : { port }),
        local: flags['local'] ?? false,
        browser: flags['browser'] || !flags['open'] || port !== undefined,
        program: fileURLToPath(new URL('../bin/devenv', import.meta.url)),
        extensions: { extension: extensionFolder(core, 'extension'), resolver: extensionFolder(core, 'resolver') },
      });
      if (opened.opened === 'desktop') return { json: opened, message: `Opening in ${opened.program}` };
      await using host = opened;
      // Before the end, which Ctrl-C makes.
      const { opened: how, url, environmentId: shown } = host;
      const json = {
        schema: 1,
        outcome: 'success',
        opened: how,
        url,
        port: host.port,
        folder: host.folder,
        ...(shown ? { environmentId: shown } : {}),
      };
      process.stdout.write(`${shared.json ? JSON.stringify(json) : url}\n`);
      if (flags['open']) host.openInBrowser();
      options.report({
        type: 'notice',
        level: 'info',
        message: 'The editor is open at this address as long as this command runs; Ctrl-C ends it.',
      });
      await new Promise((resolve) => options.signal.addEventListener('abort', resolve, { once: true }));
      return {};
    });
  }
}

/** Beside the program in an installed package; in a checkout where it is built. */
function extensionFolder({ UserError }: Core, name: string): string {
  const places = [`../extensions/${name}`, `../../../${name}`].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = places.find((path) => existsSync(`${path}/package.json`));
  if (found === undefined)
    throw new UserError('EDITOR_FAILED', `The editor's part of devenv is missing: ${places[0]}`, { hint: 'Install devenv again.' });
  return found;
}
