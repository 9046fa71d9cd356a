import { expect, test } from 'vitest';
import { httpClient, type HttpClient } from '../base/http.ts';
import { Connection } from './connection.ts';
import { Endpoint } from './endpoint.ts';
import { startFakeServer, type FakeServer } from './fake-server.suite.ts';
import { searchRegistry } from './listing.ts';

/** Everything that is meant for Docker Hub goes to a server here. */
function hubAt(server: FakeServer): { search(text: string, limit?: number): ReturnType<typeof searchRegistry>; asked: URL[] } {
  const asked: URL[] = [];
  const direct = httpClient({});
  const client: HttpClient = (url, request) => {
    asked.push(url);
    return direct(new URL(url.pathname + url.search, `http://${server.host}`), request);
  };
  const endpoint = Endpoint.ofRegistry('docker.io', {});
  const connection = new Connection({ client, endpoint, repository: '', credentials: async () => undefined, pause: 1 });
  return {
    asked,
    search: (text, limit) => searchRegistry(connection, client, { registry: 'docker.io', text, ...(limit ? { limit } : {}) }),
  };
}

test("Docker Hub's own search is asked, and what strangers wrote there is made printable", async () => {
  const results = [
    { name: 'node', description: 'Node.js\u001b[31m  is\na runtime', star_count: 9, is_official: true },
    { name: 'me/node', description: '', star_count: 1, is_official: false },
    { name: '../x' },
    { name: '\u001b[2J' },
    null,
  ];
  await using server = await startFakeServer({}, (_request, response) => !!response.end(JSON.stringify({ results })));
  const hub = hubAt(server);
  expect(await hub.search('node', 10)).toEqual([
    { name: 'docker.io/library/node', description: 'Node.js [31m is a runtime', stars: 9, official: true },
    { name: 'docker.io/me/node', stars: 1, official: false },
  ]);
  expect(hub.asked.map(String)).toEqual(['https://index.docker.io/v1/search?q=node&n=10']);
});

test.each([
  [429, 'REGISTRY_LIMIT'],
  [500, 'REGISTRY_ANSWER'],
])('an answer of %i to a search is %s', async (status, code) => {
  await using server = await startFakeServer({}, (_request, response) => !!response.writeHead(status).end());
  await expect(hubAt(server).search('node')).rejects.toMatchObject({ code });
});

test('a registry without a catalog says so', async () => {
  await using server = await startFakeServer({}, (_request, response) => !!response.writeHead(404).end());
  const endpoint = Endpoint.ofRegistry(server.host, {});
  const client = httpClient({});
  const connection = new Connection({ client, endpoint, repository: '', credentials: async () => undefined, pause: 1 });
  await expect(searchRegistry(connection, client, { registry: server.host, text: 'x' })).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
});
