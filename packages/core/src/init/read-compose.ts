import { entriesAt, itemsAt, parseYaml, textAt, valueAt } from './document.ts';
import { portValue } from './port.ts';
import type { Finding } from './proposal.ts';

/** The ports of the services that a compose file builds here; the others are environments of their own. */
export function readCompose(text: string, file: string): Finding | undefined {
  const services = entriesAt(parseYaml(text), 'services');
  if (services.length === 0) return undefined;
  const built = services.filter(([, service]) => valueAt(service, 'build') !== undefined);
  const others = services
    .filter(([, service]) => valueAt(service, 'build') === undefined)
    .map(([name, service]) => `${name} (${textAt(service, 'image') ?? 'no image'})`);
  return {
    ports: built.flatMap(([name, service]) =>
      itemsAt(service, 'ports').flatMap((port) => {
        const value = composePort(port);
        return value === undefined ? [] : [{ value, from: `ports of ${name} in ${file}` }];
      }),
    ),
    notes: others.length === 0 ? [] : [`${file} also runs ${others.join(', ')}: not part of this environment.`],
  };
}

/** Short and long syntax (compose-spec, ports). Ranges and ports without number are left out. */
function composePort(port: unknown): number | string | undefined {
  if (typeof port === 'number') return portValue(port);
  if (typeof port === 'string') {
    const plain = port.replace(/\$\{\w+:?-(\d+)\}/g, '$1');
    const match = /^(?:(?:[0-9.]+|\[[0-9a-f:]+\]):)?(?:(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp))?$/i.exec(plain);
    return match ? portValue(Number(match[2]), match[3], match[1] === undefined ? undefined : Number(match[1])) : undefined;
  }
  const target = valueAt(port, 'target');
  const published = valueAt(port, 'published');
  return portValue(Number(target), textAt(port, 'protocol'), published === undefined ? undefined : Number(published));
}
