import { window, workspace, type ExtensionContext } from 'vscode';
import { registerCommands } from './commands.ts';
import { Devenv } from './devenv.ts';
import { showEnvironments } from './environments-view.ts';
import { tellOfFailures } from './failures.ts';
import type { Launch } from './launch.ts';
import { offerPorts } from './ports.ts';
import { showProblems } from './problems.ts';
import { offerToRebuild, offerToReopen } from './prompts.ts';
import { offerFixes } from './quick-fixes.ts';
import { offerSchemas } from './schemas.ts';
import { State } from './state.ts';
import { showStatus } from './status-bar.ts';
import { registerProfile, Shells } from './terminal.ts';
import { watchInputs } from './watch.ts';
import { Work } from './work.ts';

/** Puts the parts together, and returns before devenv has said anything. */
export function start(context: ExtensionContext, launch: Launch, program: () => string): void {
  const log = window.createOutputChannel('devenv', { log: true });
  const devenv = new Devenv(launch);
  const state = new State(devenv);
  const shells = new Shells(program);
  const work = new Work(devenv, state, log);
  context.subscriptions.push(
    log,
    state,
    ...registerCommands({ state, work, log, shells }),
    ...showStatus(state),
    ...showEnvironments(devenv, state),
    tellOfFailures(state, { log, diagnose: () => shells.diagnose() }),
    ...showProblems(state),
    offerFixes(),
    offerSchemas(context.extensionUri),
    registerProfile(state, shells),
    offerToReopen(state, context.globalState),
    offerToRebuild(state),
    ...watchInputs(devenv, state),
    ...offerPorts(devenv, state),
    // In a window of ours this runs while the editor still joins the machine, before it knows of folders.
    workspace.onDidChangeWorkspaceFolders(() => void state.refresh()),
  );
  void state.refresh();
}
