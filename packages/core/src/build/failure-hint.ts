import { hasNoSpace } from '../base/disk-trouble.ts';
import { idMapping } from '../base/user-namespace.ts';
import type { PlannedStep } from '../plan/plan.ts';
import { undeclaredInputs } from './undeclared-inputs.ts';

/** What apt, curl, git, npm, pip and Go say when names mean nothing or no packet gets out. */
const unreachable =
  /temporary failure resolving|temporary failure in name resolution|could not resolve host|EAI_AGAIN|network is (?:unreachable|down)/i;

/** What apt says when the packages that it has do not fit together, or are not all that it was asked for. */
const misfit = /unmet dependencies|unable to locate package|has no installation candidate|held broken packages/i;

export interface FailurePlaces {
  /** The workspace on the host. */
  readonly folder: string;
  /** Something on the disk of the layers. */
  readonly disk: string;
}

/** What to do about a failed step, read from the end of its output. */
export function failureHint(
  step: Pick<PlannedStep, 'definition' | 'process' | 'files' | 'name' | 'locked'>,
  output: string,
  places: FailurePlaces,
): string {
  const { definition } = step;
  const { folder, disk } = places;
  // An overlay may answer EIO where its disk is full.
  if (output.includes('No space left on device') || hasNoSpace(disk))
    return 'The disk may be full: devenv doctor shows how much space there is. The layers before this step are kept.';
  if (idMapping().kind === 'single' && /Invalid argument|Operation not permitted|setgroups|seteuid/i.test(output))
    return 'You have one id here (single-id mode), so chown, su, useradd and apt fail: devenv doctor says how to get more.';
  if (step.locked && misfit.test(output))
    return `Its packages are locked, and do not fit what is below it: devenv update ${JSON.stringify(step.name)} takes what the archive has now.`;
  if (unreachable.test(output)) {
    return definition.kind === 'run' && !definition.network
      ? 'The step needs the network, and its "network" is false: set it to true.'
      : "The step could not reach the network: look at this machine's connection, name server and proxy. The layers before it are kept.";
  }
  const undeclared =
    definition.kind === 'run' ? undeclaredInputs(output, folder, step.process!.workdir, new Set(step.files.map((file) => file.path))) : [];
  if (undeclared.length === 0) return 'The layers before this step are kept: mend the step and run the same command again.';
  const names = undeclared.map((path) => JSON.stringify(path)).join(', ');
  const [exist, are] = undeclared.length === 1 ? ['exists', 'is'] : ['exist', 'are'];
  return `${names} ${exist} in the workspace but ${are} not declared: add ${names} to the step's "inputs".`;
}
