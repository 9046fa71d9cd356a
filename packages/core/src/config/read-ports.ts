import type { ConfigPort } from './config.ts';
import type { Members } from './members.ts';
import { placeOf, type Node } from './tree.ts';

/** The ports in the order written. Two that would take the same port of this machine are a problem. */
export function readPorts(root: Members): readonly ConfigPort[] {
  const { problems } = root;
  const taken: { readonly port: ConfigPort; readonly node: Node }[] = [];
  for (const node of root.items('ports')) {
    const port = parsePort(node.kind === 'number' ? String(node.value) : node.kind === 'string' ? node.value : '');
    if (typeof port === 'string') {
      problems.add('BAD_VALUE', node, port);
      continue;
    }
    const other = taken.find((before) => collide(before.port, port));
    if (other)
      problems.add(
        'BAD_VALUE',
        node,
        `Port ${port.hostPort} of this machine is taken already (line ${placeOf(other.node).line}).`,
        `choose another, such as "${port.hostPort + 1}:${port.containerPort}"`,
      );
    taken.push({ port, node });
  }
  return taken.map(({ port }) => port);
}

/** `8080:80`, `0.0.0.0:8080:80/udp`, `80`: as a port, or what is wrong with it. */
export function parsePort(text: string): ConfigPort | string {
  const match = /^(?:([0-9]+(?:\.[0-9]+){3}|\[[0-9A-Fa-f:.]+\]|localhost):)?(?:([0-9]*):)?([0-9]+)(?:\/(tcp|udp))?$/.exec(text);
  if (!match) return `${JSON.stringify(text)} is not a port.`;
  const [, address = 'localhost', host, container, protocol = 'tcp'] = match;
  // Only this machine unless the file says otherwise: a development server is seldom made for the whole network.
  const hostAddress = address === 'localhost' ? '127.0.0.1' : address.replace(/^\[|\]$/g, '');
  if (!isAddress(hostAddress)) return `${hostAddress} is not an address.`;
  const containerPort = Number(container);
  const hostPort = host === undefined ? containerPort : Number(host);
  if (containerPort < 1 || containerPort > 65535) return `There is no port ${containerPort}: ports go from 1 to 65535.`;
  if (hostPort > 65535) return `There is no port ${hostPort}: ports go from 1 to 65535, and 0 is any free one.`;
  return { hostAddress, hostPort, containerPort, protocol: protocol as 'tcp' | 'udp' };
}

/** node:net knows this too, but costs a start some milliseconds. */
function isAddress(text: string): boolean {
  if (text.includes(':')) return URL.canParse(`http://[${text}]`);
  return text.split('.').every((part) => Number(part) <= 255);
}

function collide(a: ConfigPort, b: ConfigPort): boolean {
  if (a.hostPort !== b.hostPort || a.hostPort === 0 || a.protocol !== b.protocol) return false;
  return a.hostAddress === b.hostAddress || isAny(a.hostAddress) || isAny(b.hostAddress);
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
