import { request } from 'node:http';
import type { Duplex } from 'node:stream';

/** One GET over a connection that is there already; the answer as a whole. */
export function getOver(stream: Duplex, path: string): Promise<{ readonly status: number; readonly type: string; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const asked = request({ createConnection: () => stream, path, host: 'localhost', headers: { connection: 'close' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { 'content-type': type = 'application/octet-stream' } = response.headers;
        resolve({ status: response.statusCode ?? 502, type, body: Buffer.concat(chunks) });
      });
    });
    asked.on('error', reject).end();
  });
}

/** Sends one value to who listens at a socket. @throws Error when nobody does */
export function postJson(socketPath: string, value: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const asked = request({ socketPath, method: 'POST', path: '/', headers }, (response) => {
      response.resume().on('end', resolve).on('error', reject);
    });
    asked.on('error', reject).end(JSON.stringify(value));
  });
}
