import {
  EventEmitter,
  ThemeColor,
  ThemeIcon,
  TreeItem,
  TreeItemCollapsibleState,
  window,
  type Disposable,
  type TreeDataProvider,
} from 'vscode';
import type { Environment, PublishedPort } from '@devenv/core';
import { Failure, type Devenv } from './devenv.ts';
import type { State } from './state.ts';

export interface Port extends PublishedPort {
  readonly kind: 'port';
}

type Node = Environment | Port;

/** The environments of this user on this machine, and the ports of each. Asked for only while somebody looks. */
export function showEnvironments(devenv: Devenv, state: State): Disposable[] {
  const changed = new EventEmitter<void>();
  let environments: readonly Environment[] | undefined;
  const ask = async (): Promise<void> => {
    try {
      ({ environments } = await devenv.call<{ environments: readonly Environment[] }>(['ps']));
      view.message = '';
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      view.message = error.message;
      environments = [];
    }
  };
  const provider: TreeDataProvider<Node> = {
    onDidChangeTreeData: changed.event,
    getTreeItem: (node) => (isPort(node) ? portItem(node) : environmentItem(node, state)),
    async getChildren(node) {
      if (node) return isPort(node) ? [] : node.ports.map((port) => ({ kind: 'port', ...port }));
      if (!environments) await ask();
      shown = now();
      return environments?.slice() ?? [];
    },
  };
  const view = window.createTreeView('devenv.environments', { treeDataProvider: provider });
  const now = (): string => JSON.stringify([environments, state.status?.environmentId, state.inside]);
  let shown: string | undefined;
  // A row that is made anew under somebody's pointer does not know what it is about when it is clicked.
  const refresh = async (): Promise<void> => {
    if (shown === undefined || !view.visible || state.work !== undefined) return;
    await ask();
    if (now() !== shown) changed.fire();
  };
  return [view, changed, state.onDidChange(() => void refresh()), view.onDidChangeVisibility(() => void refresh())];
}

function isPort(node: Node): node is Port {
  return 'kind' in node;
}

function environmentItem({ environmentId, name, folder, state, ports }: Environment, { status, inside }: State): TreeItem {
  const own = environmentId === status?.environmentId;
  const item = new TreeItem(name, ports.length > 0 ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.None);
  const running = state === 'running';
  item.id = environmentId;
  item.description = `${state}${own ? ' · this window' : ''} · ${folder}`;
  item.tooltip = `${name}, ${state}\n${folder}`;
  // Terminals of a window that is inside are in its container: from there no other one can be entered.
  item.contextValue = !running ? 'environment.stopped' : inside && !own ? 'environment.running.elsewhere' : 'environment.running';
  item.iconPath = running ? new ThemeIcon('vm-running', new ThemeColor('charts.green')) : new ThemeIcon('vm-outline');
  return item;
}

function portItem({ address, containerPort, protocol }: Port): TreeItem {
  const item = new TreeItem(address);
  item.description = `${containerPort}${protocol === 'udp' ? '/udp' : ''} inside`;
  item.contextValue = protocol === 'tcp' ? 'port' : 'port.udp';
  item.iconPath = new ThemeIcon('plug');
  return item;
}
