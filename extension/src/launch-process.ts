import { spawn } from 'node:child_process';
import { LaunchError, type Launch } from './launch.ts';

/** devenv as a child process. `program` is asked each time: the setting may change. */
export function launchProcess(program: () => string): Launch {
  return (args, { onStdout, onStderr }) => {
    const child = spawn(program(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', onStdout);
    child.stderr.setEncoding('utf8').on('data', onStderr);
    const exit = new Promise<number>((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) =>
        reject(new LaunchError(`${program()}: ${error.message}`, error.code === 'ENOENT' || error.code === 'EACCES')),
      );
      child.on('close', (code) => resolve(code ?? 130));
    });
    return { exit, interrupt: () => void child.kill('SIGINT') };
  };
}
