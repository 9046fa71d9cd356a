// Unpacks one layer as a pull does and prints the milliseconds: BLOB DIGEST DIFF_ID TARGET. A process of its own, so that nothing is warm.
import { createReadStream, statSync } from 'node:fs';
import type { Digest } from '../packages/core/src/oci/digest.ts';
import { layerStream } from '../packages/core/src/oci/layer-stream.ts';
import { unpackLayer } from '../packages/core/src/store/unpack-layer.ts';

const [blob, digest, diffId, target] = process.argv.slice(2) as [string, Digest, Digest, string];
const started = performance.now();
const bytes = createReadStream(blob, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
const tar = layerStream(bytes, { mediaType: '', digest, size: statSync(blob).size }, diffId);
await unpackLayer(tar, target, { overlay: 'trusted' });
console.log(performance.now() - started);
