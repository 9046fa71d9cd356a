// Starts COUNT containers on LAYER, four at a time, as the engine does for each environment but without a network, and prints the milliseconds;
// with `remove` as third argument it removes them. DEVENV_BASE_DIR says where. A process of its own, so that nothing is warm.
import { directories } from '../packages/core/src/base/directories.ts';
import type { Container, ContainerSpec } from '../packages/core/src/engine/engine.ts';
import { findEngine } from '../packages/core/src/engine/find-engine.ts';
import type { LayerId } from '../packages/core/src/store/layer-store.ts';
import { diskStore } from '../packages/core/src/store/disk-store.ts';

const [layer, count, removing] = process.argv.slice(2) as [LayerId, string, string?];
const labels = { bench: 'hundred' };
const places = directories(process.env, 0);
const store = diskStore(places);
const engine = findEngine({ directories: places, env: process.env, report: () => {} }, () => store);
const started = performance.now();
if (removing) await fourAtATime(await engine.list(labels), (container: Container) => container.remove());
else {
  const numbers = Array.from({ length: Number(count) }, (_, index) => index);
  await fourAtATime(numbers, async (number) => (await engine.create(specOf(number))).start());
}
console.log(performance.now() - started);
process.exit();

async function fourAtATime<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    }),
  );
}

function specOf(number: number): ContainerSpec {
  return {
    id: `hundred-${number}`, labels, layer, hostname: 'hundred', command: [], env: { PATH: '/usr/bin:/bin' }, user: 'root', workdir: '/',
    mounts: [], network: 'none', ports: [], limits: {}, certificates: undefined,
    security: { capAdd: [], capDrop: [], seccomp: 'default', noNewPrivileges: false, readonlyRoot: false, privileged: false },
  }; // prettier-ignore
}
