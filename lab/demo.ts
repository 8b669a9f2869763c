/* eslint-disable no-console -- the demo talks to its terminal */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { formatBytes } from '../src/platform/quantity.ts';
import { RoomError } from '../src/platform/errors.ts';
import { runningContainer, stoppedContainer } from './containers.ts';
import { startContainerd, type PrivateContainerd } from './containerd.ts';
import { DEMO_EXCLUSION, demoDatabase, demoImages } from './demo-images.ts';
import { importImages, listImageIds, tagImage } from './images.ts';
import { requireRoot } from './lab-error.ts';
import { runAttached } from './run-attached.ts';
import { ensureTrivy } from './tools.ts';
import { writeTrivyDatabase } from './trivy-database.ts';

/** `npm start`: the main job, for real, on sample images in a containerd of its own. `-- --keep` leaves it running to play with. */
const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line: string): void => console.log(line);

async function demo(): Promise<number> {
  const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
  requireRoot('npm start');
  say('Image Cleaner demo: a private containerd with sample images. Your own container runtime is not touched.\n');
  await runAttached(process.execPath, [join(root, 'scripts/build.ts')]);
  const trivy = await ensureTrivy(say);
  await using containerd = await startContainerd({ version: 'debian', onProgress: say });
  await populate(containerd);
  const cacheDir = await mkdtemp(join(tmpdir(), 'image-cleaner-demo-'));
  try {
    await writeTrivyDatabase(cacheDir, demoDatabase());
    const before = await listImageIds(containerd);
    if (trivy.kind === 'missing') say(`\nThe scan is off, since there is no Trivy: ${trivy.reason} Without it every unused image goes.`);
    const scanner =
      trivy.kind === 'missing' ? ['--scanner', 'none'] : ['--trivy', trivy.path, '--trivy-cache-dir', cacheDir, '--skip-db-update'];
    const history = ['--history', join(cacheDir, 'history.db')];
    const options = ['--runtime-endpoint', containerd.endpoint, '--exclude', DEMO_EXCLUSION, ...scanner, ...history];
    const first = await imageCleaner(['clean', '--yes', ...options]);
    const after = await listImageIds(containerd);
    say(`\nThe runtime's own list: ${String(before.length)} images before, ${String(after.length)} after.`);
    say('\nThe same again: what the first run scanned is remembered, and nothing is scanned twice.');
    const second = await imageCleaner(['clean', '--yes', ...options]);
    say('\nEvery decision is on record, also of runs long ago.');
    const runs = await imageCleaner(['history', ...history]);
    const image = await imageCleaner(['history', '--image', 'web:1.0', ...history]);
    sayNext(values.keep ? { endpoint: containerd.endpoint, scanner: [...scanner, ...history] } : null);
    if (values.keep) await untilInterrupted();
    return Math.max(first, second, runs, image);
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
}

/** Shows the command and runs it, as a user would. */
function imageCleaner(args: readonly string[]): Promise<number> {
  say(`\n$ image-cleaner ${args.join(' ')}\n`);
  return runAttached(process.execPath, [join(root, 'dist/image-cleaner.mjs'), ...args]);
}

async function populate(containerd: PrivateContainerd): Promise<void> {
  const images = await demoImages();
  await importImages(containerd, images.all);
  await tagImage(containerd, images.secondTag.of, images.secondTag.tag);
  await runningContainer(containerd, { image: 'docker.io/library/shop:2.1', name: 'shop', pod: { name: 'shop-0', namespace: 'web' } });
  await stoppedContainer(containerd, {
    image: 'docker.io/library/migrate:7',
    name: 'migrate',
    pod: { name: 'migrate-1', namespace: 'web' },
  });
  const bytes = images.all.flatMap(({ layers }) => layers).reduce((sum, { blob }) => sum + blob.length, 0);
  say(
    `containerd ${containerd.release} holds ${String(images.all.length + 1)} sample images (${formatBytes(bytes)} of layers), two with a container.`,
  );
}

function sayNext(kept: { readonly endpoint: string; readonly scanner: readonly string[] } | null): void {
  if (kept !== null) {
    const endpoint = `--runtime-endpoint ${kept.endpoint}`;
    say('\nThe sample containerd runs until you press Ctrl-C. In another terminal, try:');
    say(`  npm run -s image-cleaner -- list ${endpoint}`);
    say(`  npm run -s image-cleaner -- explain web:1.1 ${endpoint} ${kept.scanner.join(' ')}`);
    return;
  }
  say('\nNext:');
  say('  npm start -- --keep                              the same, and the sample containerd stays for you to try things on');
  say('  npm run -s image-cleaner -- list                 what is on this machine, and what uses it');
  say('  npm run -s image-cleaner -- clean --dry-run      what would go from this machine, and why; removes nothing');
  say('  npm run -s image-cleaner -- clean --help         every option, with examples');
  say('  npm run -s image-cleaner -- doctor               what this machine lacks, if anything, and what to do');
}

/** Until Ctrl-C; the place's own handler would end the process before the clean-up above has run. */
async function untilInterrupted(): Promise<void> {
  process.removeAllListeners('SIGINT');
  const alive = setInterval(() => undefined, 60_000);
  await once(process, 'SIGINT');
  clearInterval(alive);
}

try {
  process.exitCode = await demo();
} catch (error) {
  if (!(error instanceof RoomError)) throw error;
  console.error(`error: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`);
  process.exitCode = 1;
}
