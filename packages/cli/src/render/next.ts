import type { Status } from '@devenv/core';
import { describeChange } from './ready.ts';

/** `devenv` alone, where there is a devenv.json. */
export function describeNext(status: Status): string {
  if (status.state === 'absent')
    return 'There is a devenv.json here; its environment is not up yet.\n\n  devenv up       build and start it\n  devenv plan     see what that would do';
  if (status.stale)
    return `The environment is not what devenv.json says:\n${status.changes.map((change) => `  ${describeChange(change)}`).join('\n')}\n\n  devenv up       bring it up to date`;
  if (status.state === 'stopped') return 'The environment is stopped.\n\n  devenv up       start it\n  devenv down     remove it';
  return 'The environment is running.\n\n  devenv shell         a shell inside\n  devenv exec COMMAND  run one command inside\n  devenv status        does it match devenv.json?\n  devenv down          stop and remove it';
}

/** `devenv` alone, where there is none: what to do about it. */
export function describeNoConfig(): string {
  return `There is no devenv.json here or above.

  devenv init     look at this folder and write one
  devenv up       then: build and start it
  devenv shell    a shell inside

devenv --help lists the commands.`;
}
