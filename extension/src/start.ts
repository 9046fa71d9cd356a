import { window, workspace, type ExtensionContext } from 'vscode';
import { registerCommands } from './commands.ts';
import { Devenv } from './devenv.ts';
import { diagnose } from './diagnose.ts';
import { showEnvironments } from './environments-view.ts';
import { tellOfFailures } from './failures.ts';
import type { Launch } from './launch.ts';
import { isInside } from './place.ts';
import { offerPorts } from './ports.ts';
import { showProblems } from './problems.ts';
import { offerToRebuild, offerToReload, offerToReopen, offerToStart } from './prompts.ts';
import { offerFixes } from './quick-fixes.ts';
import { offerSchemas } from './schemas.ts';
import { State } from './state.ts';
import { showStatus } from './status-bar.ts';
import { registerProfile, Shells } from './terminal.ts';
import { watchInputs } from './watch.ts';
import { Work } from './work.ts';

/**
 * Puts the parts together, and returns before devenv has said anything. Where the folder is not trusted there is help with writing its file
 * and nothing else: devenv would download and run what that says.
 */
export function start(context: ExtensionContext, launch: Launch, program: () => string): void {
  context.subscriptions.push(offerSchemas(context.extensionUri));
  let started = false;
  const begin = (): void => {
    // Windows in containers are trusted by the companion, which cannot say so when the environment does not run.
    if (started || !(workspace.isTrusted || isInside())) return;
    started = true;
    startTrusted(context, launch, program);
  };
  // In a window of ours this runs before it is known what is trusted, and which folders there are.
  context.subscriptions.push(workspace.onDidGrantWorkspaceTrust(begin), workspace.onDidChangeWorkspaceFolders(begin));
  begin();
}

function startTrusted(context: ExtensionContext, launch: Launch, program: () => string): void {
  const log = window.createOutputChannel('devenv', { log: true });
  const devenv = new Devenv(launch);
  const state = new State(devenv, context.globalState);
  const shells = new Shells(program);
  const work = new Work(devenv, state, log);
  const tools = { log, diagnose: () => diagnose(devenv, log) };
  context.subscriptions.push(
    log,
    state,
    ...registerCommands({ state, work, shells, ...tools }),
    ...showStatus(state),
    ...showEnvironments(devenv, state),
    tellOfFailures(state, tools),
    ...showProblems(state),
    offerFixes(),
    registerProfile(state, shells),
    offerToReopen(state, context.globalState),
    offerToRebuild(state),
    offerToStart(state),
    offerToReload(state, context.globalState),
    ...watchInputs(devenv, state),
    ...offerPorts({ devenv, state, work, memory: context.globalState }),
    // In a window of ours this runs while the editor still joins the machine, before it knows of folders.
    workspace.onDidChangeWorkspaceFolders(() => void state.refresh()),
    // Meanwhile somebody may have used devenv in a terminal, another one's or ours.
    window.onDidChangeWindowState(({ focused }) => focused && void state.refresh()),
    window.onDidEndTerminalShellExecution(({ execution }) => /\bdevenv\b/.test(execution.commandLine.value) && void state.refresh()),
  );
  void state.refresh();
}
