import { connectToRuntime } from '../../src/cri/connect-to-runtime.ts';
import { tellUsage } from './tell-usage.ts';

/** Removes images one after the other and asks nothing before. Arguments: the socket, then how their tags begin. */
const [socketPath = '', prefix = ''] = process.argv.slice(2);

const { signal } = new AbortController();
const runtime = await connectToRuntime({ socketPath }, signal);
const images = (await runtime.listImages(signal)).filter(({ repoTags }) => repoTags[0]?.startsWith(prefix) === true);
await tellUsage(async () => {
  for (const { id } of images) await runtime.removeImage(id, signal);
});
runtime.close();
