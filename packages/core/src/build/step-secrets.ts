import { UserError } from '../base/errors.ts';
import type { StepProcess } from '../engine/engine.ts';
import type { PlannedStep } from '../plan/plan.ts';
import type { BuildTools } from './build-tools.ts';

/** Before the first of the steps runs: what the last one lacks must not cost the time of the others. @throws UserError BAD_VALUE */
export function requireSecrets(steps: readonly PlannedStep[], tools: Pick<BuildTools, 'secrets'>): void {
  for (const step of steps) secretsOf(step, tools);
}

/** The secrets that a step names, with their values. @throws UserError BAD_VALUE naming the first that is not set */
export function secretsOf(step: PlannedStep, tools: Pick<BuildTools, 'secrets'>): StepProcess['secrets'] {
  const { definition } = step;
  if (definition.kind !== 'run') return [];
  return definition.secrets.map((name) => {
    const value = tools.secrets[name];
    if (value === undefined) {
      throw new UserError('BAD_VALUE', `The step "${step.name}" needs the secret ${name}, which is not set.`, {
        hint: `Set it in the environment of devenv: read -rs ${name} && export ${name}`,
        place: definition.place,
      });
    }
    return { name, value };
  });
}
