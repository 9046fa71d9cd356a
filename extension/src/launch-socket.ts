import { LaunchError, type Launch } from './launch.ts';

/** devenv as the browser host runs it: docs/editors.md has the messages. */
export function launchSocket(open: () => WebSocket): Launch {
  return (args, { onStdout, onStderr }) => {
    const socket = open();
    let opened = false;
    const exit = new Promise<number>((resolve, reject) => {
      socket.addEventListener('open', () => {
        opened = true;
        socket.send(JSON.stringify({ args }));
      });
      socket.addEventListener('message', ({ data }) => {
        const message = JSON.parse(String(data)) as { readonly stdout?: string; readonly stderr?: string; readonly exitCode?: number };
        if (message.stdout !== undefined) onStdout(message.stdout);
        if (message.stderr !== undefined) onStderr(message.stderr);
        if (message.exitCode !== undefined) resolve(message.exitCode);
      });
      socket.addEventListener('close', () =>
        reject(new LaunchError('The host that serves this window does not answer: start devenv code again.', false)),
      );
    });
    return { exit, interrupt: () => (opened ? socket.send(JSON.stringify({ signal: 'SIGINT' })) : socket.close()) };
  };
}
