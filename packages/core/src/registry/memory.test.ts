import { memoryRegistry } from './memory.ts';
import { registrySuite } from './registry.suite.ts';

registrySuite('memory', async () => {
  const registry = memoryRegistry();
  return {
    registry,
    host: 'registry.example',
    async put(repository, tag, images) {
      registry.add(`registry.example/${repository}:${tag}`, ...images);
    },
    async [Symbol.asyncDispose]() {},
  };
});
