import type { PublishedPort } from './contract.ts';
import type { Container } from './engine/engine.ts';

/** The ports of a running container as people on this machine reach them. */
export function publishedPorts({ ports }: Pick<Container, 'ports'>): readonly PublishedPort[] {
  return ports.map(({ hostAddress, hostPort, containerPort, protocol }) => ({
    address: `${addressOf(hostAddress)}:${hostPort}`,
    containerPort,
    protocol,
  }));
}

/** How a published port is reached from this machine. */
function addressOf(hostAddress: string): string {
  return ['127.0.0.1', '0.0.0.0', '::1', '::'].includes(hostAddress) ? 'localhost' : hostAddress;
}
