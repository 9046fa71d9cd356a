import { afterAll, beforeAll, describe } from 'vitest';
import { breakOutLaws } from './suite/break-out.suite.ts';
import { buildLaws } from './suite/build-laws.ts';
import { containerLaws } from './suite/container-laws.ts';
import { execLaws } from './suite/exec-laws.ts';
import { hostileImageLaws } from './suite/hostile-image.suite.ts';
import { isolationLaws } from './suite/isolation-laws.ts';
import { logLaws } from './suite/log-laws.ts';
import { mountLaws } from './suite/mount-laws.ts';
import { networkLaws } from './suite/network-laws.ts';
import { useLaws } from './suite/use-laws.ts';
import { Rig, type EngineUnderTest } from './suite/rig.ts';

/** What every engine must do. Needs what the engine needs (root, say); makes its own image. Returns the rig for tests of this engine alone. */
export function engineSuite(name: string, make: () => EngineUnderTest, more: (rig: Rig) => void = () => {}): void {
  // oxlint-disable-next-line vitest/valid-title -- the suite of an interface does not know its implementations
  describe(name, () => {
    const rig = new Rig(make());
    beforeAll(() => rig.prepare(), 120_000);
    afterAll(() => rig.end(), 60_000);
    buildLaws(rig);
    containerLaws(rig);
    execLaws(rig);
    logLaws(rig);
    mountLaws(rig);
    isolationLaws(rig);
    breakOutLaws(rig);
    hostileImageLaws(rig);
    networkLaws(rig);
    useLaws(rig);
    more(rig);
  });
}
